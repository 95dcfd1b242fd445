//! `POST /v1/sessions/verify`

use super::{
    body,
    problem::session_problem,
    view::{View, answer},
};
use crate::{
    credentials::{Caller, Scope},
    http::{Answer, Json},
    state::AppState,
};
use axum::extract::State;
use cloakroom::service::Verified;
use cloakroom_core::{Record, SessionToken, lifecycle::Ended};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The most tokens of one request.
const TOKENS_MAX: usize = 1000;

/// One token, or many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBody {
    /// The token to judge.
    session_token: Option<String>,
    /// Or many.
    #[schema(max_items = 1000)]
    session_tokens: Option<Vec<String>>,
    /// Whether this counts as a use of the session; true where it is left out.
    touch: Option<bool>,
}

/// A session, or `{"active": false}` whatever was wrong with the token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum VerifiedView<'a> {
    /// It opens this session.
    Active(Box<View<'a>>),
    /// It opens nothing.
    Inactive {
        /// Always false.
        active: bool,
    },
}

/// The answers to many tokens, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifiedViews<'a> {
    /// One for each token.
    sessions: Vec<VerifiedView<'a>>,
}

/// Judges session tokens.
#[utoipa::path(
    post,
    path = "/v1/sessions/verify",
    tag = "sessions",
    request_body = VerifyBody,
    responses(
        (status = 200, description = "The session, or `active: false`; for `session_tokens`, `sessions` with one answer each.", body = serde_json::Value),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach: never `active: false`.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn verify(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<VerifyBody>,
) -> Answer {
    caller.require(Scope::SessionsRead)?;
    let touch = asked.touch.unwrap_or(true);
    match (asked.session_token, asked.session_tokens) {
        (Some(token), None) => Ok(match judge(&state, &caller, &token, touch).await? {
            Some(record) => View::of(&record, &state).into_response(),
            None => answer(StatusCode::OK, &VerifiedView::Inactive { active: false }),
        }),
        (None, Some(tokens)) if tokens.len() <= TOKENS_MAX => {
            let mut found = Vec::with_capacity(tokens.len());
            for token in &tokens {
                found.push(judge(&state, &caller, token, touch).await?);
            }
            let sessions = found.iter().map(|record| match record {
                Some(record) => VerifiedView::Active(Box::new(View::of(record, &state))),
                None => VerifiedView::Inactive { active: false },
            });
            Ok(answer(
                StatusCode::OK,
                &VerifiedViews {
                    sessions: sessions.collect(),
                },
            ))
        }
        (None, Some(_)) => Err(body::invalid("session_tokens", "has more than 1000 tokens")),
        _ => Err(body::invalid(
            "session_token",
            "or `session_tokens` must be there, and not both",
        )),
    }
}

async fn judge(
    state: &AppState,
    caller: &Caller,
    token: &str,
    touch: bool,
) -> Answer<Option<Arc<Record>>> {
    let Ok(token) = token.parse::<SessionToken>() else {
        return Ok(None);
    };
    if super::scoped::check_token(state, caller, &token)
        .await
        .is_err_and(|problem| problem.kind() == &crate::http::problems::SESSION_NOT_FOUND)
    {
        return Ok(None);
    }
    match state
        .sessions()
        .verify(&token, touch)
        .await
        .map_err(|error| session_problem(&error))?
    {
        Verified::Active(record) => Ok(Some(record)),
        Verified::Inactive(ended) => {
            state.refused().note(ended);
            if ended == Ended::Retired {
                tracing::warn!(target: "audit", event = "retired_token", session_id = %token.id(), "a replaced token was presented");
            }
            Ok(None)
        }
    }
}
