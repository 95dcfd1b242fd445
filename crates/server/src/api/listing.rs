//! Many sessions at once: lists and revocations.

use super::{
    body,
    problem::session_problem,
    view::{View, answer},
};
use crate::{
    credentials::{Caller, Scope as KeyScope},
    http::{Answer, Path, Query},
    state::AppState,
};
use axum::extract::State;
use cloakroom_core::{
    SessionId,
    store::{Cursor, Scope},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const PAGE: usize = 50;
const PAGE_MAX: usize = 500;

/// Which sessions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Whose; all there are where it is left out.
    #[param(min_length = 1, max_length = 255)]
    subject: Option<String>,
    /// How many on a page: 50 where it is left out, at most 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<'a> {
    sessions: Vec<View<'a>>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

fn scope(caller: &Caller, subject: Option<String>) -> Answer<Scope> {
    Ok(match (subject, &caller.app) {
        (Some(subject), app) => Scope::Subject {
            app: app.clone(),
            subject: body::subject(subject)?,
        },
        (None, Some(app)) => Scope::App(app.clone()),
        (None, None) => Scope::Everything,
    })
}

/// Lists live sessions, in pages.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    params(ListQuery),
    responses(
        (status = 200, description = "One page.", body = Page),
    )
)]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(asked): Query<ListQuery>,
) -> Answer {
    caller.require(KeyScope::SessionsRead)?;
    let scope = scope(&caller, asked.subject)?;
    let limit = asked.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(body::invalid("limit", "must be 1 to 500"));
    }
    let cursor = asked
        .cursor
        .map(|cursor| cursor.parse::<SessionId>())
        .transpose();
    let cursor = cursor.map_err(|_| body::invalid("cursor", "is not one that a list gave"))?;
    let listed = state
        .sessions()
        .list(scope, cursor.map(Cursor), limit)
        .await;
    let listed = listed.map_err(|error| session_problem(&error))?;
    let sessions = listed
        .records
        .iter()
        .map(|record| View::of(record, &state))
        .collect();
    let next_cursor = listed.next.map(|Cursor(id)| id.to_string());
    Ok(answer(
        StatusCode::OK,
        &Page {
            sessions,
            next_cursor,
        },
    ))
}

/// Which session to spare.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevokeQuery {
    /// A session of the subject that goes on.
    except: Option<String>,
}

/// How many ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedView {
    /// Live sessions that ended.
    revoked: u64,
}

/// Ends all sessions of a subject; holds for logins that race with it.
#[utoipa::path(
    delete,
    path = "/v1/subjects/{subject}/sessions",
    operation_id = "revoke_subject_sessions",
    tag = "sessions",
    params(("subject" = String, Path, description = "Whose.", min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"), RevokeQuery),
    responses(
        (status = 200, description = "How many ended.", body = RevokedView),
    )
)]
pub async fn revoke_subject(
    State(state): State<AppState>,
    caller: Caller,
    Path(subject): Path<String>,
    Query(asked): Query<RevokeQuery>,
) -> Answer {
    caller.require(KeyScope::SessionsWrite)?;
    let scope = scope(&caller, Some(subject))?;
    let except = asked.except.map(|id| id.parse::<SessionId>()).transpose();
    let except = except.map_err(|_| body::invalid("except", "is no session id"))?;
    revoke(&state, &caller, scope, except).await
}

/// Ends every session there is; a key of one application, every session of that.
#[utoipa::path(
    post,
    path = "/v1/sessions/revoke-all",
    operation_id = "revoke_all_sessions",
    tag = "sessions",
    responses(
        (status = 200, description = "How many ended.", body = RevokedView),
    )
)]
pub async fn revoke_all(State(state): State<AppState>, caller: Caller) -> Answer {
    caller.require(KeyScope::Admin)?;
    let scope = scope(&caller, None)?;
    revoke(&state, &caller, scope, None).await
}

async fn revoke(
    state: &AppState,
    caller: &Caller,
    scope: Scope,
    except: Option<SessionId>,
) -> Answer {
    let revoked = state.sessions().revoke_all(scope.clone(), except).await;
    let revoked = revoked.map_err(|error| session_problem(&error))?;
    let subject = match &scope {
        Scope::Subject { subject, .. } => Some(subject.as_str()),
        Scope::App(_) | Scope::Everything => None,
    };
    tracing::info!(target: "audit", event = "revoke_all", subject, caller = caller.name, count = revoked.count, "sessions revoked");
    Ok(answer(
        StatusCode::OK,
        &RevokedView {
            revoked: revoked.count,
        },
    ))
}
