//! `/account`: the person's own sessions and devices.

use super::{
    client, cross_host, pages,
    reproof::{Asking, Deed},
};
use crate::{api, http::Peer, state::AppState};
use axum::{
    Extension, Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use cloakroom::service::{Cause, Error};
use cloakroom_core::{Record, SessionId, Subject, store::Scope};
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};
use serde::Deserialize;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The most sessions that the page shows.
const SHOWN: usize = 100;

type Person = (Subject, Arc<Record>);

/// `GET /`: to the account, or to the login.
pub(super) async fn home(State(state): State<AppState>) -> Response {
    pages::see_other(&format!("{}/account", state.base_url()))
}

/// The signed-in person, or the answer that asks for a login.
pub(super) async fn person(state: &AppState, headers: &HeaderMap) -> Result<Person, Box<Response>> {
    let found = client::person(state, headers).await;
    let found = found.map_err(|error| Box::new(pages::unavailable(state, &error)))?;
    found.ok_or_else(|| {
        let account = format!("{}/account", state.base_url());
        Box::new(pages::see_other(&state.login_url(Some(&account))))
    })
}

fn scope(subject: Subject) -> Scope {
    Scope::Subject { app: None, subject }
}

/// The page.
pub(super) async fn show(
    State(state): State<AppState>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    let (subject, own) = match person(&state, &headers).await {
        Ok(person) => person,
        Err(response) => return *response,
    };
    let listed = state
        .sessions()
        .list(scope(subject.clone()), None, SHOWN)
        .await;
    let mut records = match listed {
        Ok(listed) => listed.records,
        Err(error) => return pages::unavailable(&state, &error),
    };
    // This one first, then the last used.
    records.sort_by_key(|record| {
        (
            record.id != own.id,
            std::cmp::Reverse(record.activity.last_seen),
        )
    });
    let sessions: Vec<Value> = records
        .iter()
        .map(|record| row(&state, record, own.id))
        .collect();
    let done = match uri.query() {
        Some("done=password") => "Your password is changed, and all other sessions have ended.",
        Some("done=ended") => "Signed out.",
        _ => "",
    };
    // Of a form of one's own, or of services, the password is not kept here.
    let has_password = state.config().login.url.is_none()
        && matches!(state.directory().get(subject.as_str()).await, Ok(Some(_)));
    let values = context! { subject => subject.as_str(), sessions, done, has_password };
    pages::page(&state, StatusCode::OK, "account.html", values)
}

fn row(state: &AppState, record: &Record, own: SessionId) -> Value {
    let minute = |at| {
        let text = api::time(state.sessions().shown(at));
        text.get(..16)
            .map_or(text.clone(), |minute| minute.replace('T', " "))
    };
    let device = &record.device;
    context! {
        id => record.id.to_string(),
        is_this => record.id == own,
        device => device.label.as_deref().or(device.user_agent.as_deref()).unwrap_or("unknown device"),
        ip => device.ip.as_deref(),
        since => minute(record.security.authenticated_at.unwrap_or(record.security.created_at)),
        seen => minute(record.activity.last_seen),
    }
}

/// What the forms send.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    session_id: String,
    /// Only from the page that asks for it.
    password: Zeroizing<String>,
}

/// `POST /account/end`: ends one of the person's own sessions.
pub(super) async fn end_one(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let typed = typed.map(|Form(typed)| typed).unwrap_or_default();
    let Ok(id) = typed.session_id.parse::<SessionId>() else {
        return pages::message(
            &state,
            StatusCode::BAD_REQUEST,
            "Which session?",
            "Please go back and try again.",
        );
    };
    let deed = Deed {
        action: "/account/end",
        session_id: Some(&typed.session_id),
        called: "Sign out of the other session",
    };
    let what = async |subject: &Subject, _: SessionId| end_own(&state, subject, id).await;
    after_proof(&state, peer, &headers, &deed, typed.password, what).await
}

async fn end_own(state: &AppState, subject: &Subject, id: SessionId) -> Result<(), Error> {
    let sessions = state.sessions();
    let found = sessions.get(id).await?;
    // Another person's session looks like one that has ended.
    let found = found.filter(|record| record.security.subject.as_ref() == Some(subject));
    if let Some(record) = found {
        cross_host::end_family(state, &record).await?;
        sessions.end(id, Cause::Revoked).await?;
        tracing::info!(target: "audit", event = "session_ended_by_owner", session_id = %id, subject = subject.as_str(), "session");
    }
    Ok(())
}

/// `POST /account/end-others`: ends all of the person's sessions but this one.
pub(super) async fn end_others(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let typed = typed.map(|Form(typed)| typed).unwrap_or_default();
    let deed = Deed {
        action: "/account/end-others",
        session_id: None,
        called: "Sign out of all other sessions",
    };
    let what = async |subject: &Subject, own: SessionId| {
        let revoked = state
            .sessions()
            .revoke_all(scope(subject.clone()), Some(own))
            .await?;
        tracing::info!(target: "audit", event = "others_ended", subject = subject.as_str(), count = revoked.count, "sessions");
        Ok(())
    };
    after_proof(&state, peer, &headers, &deed, typed.password, what).await
}

/// Does what the person asked for, once the last proof is recent (AV-7.5.2), and leads back to the account.
async fn after_proof(
    state: &AppState,
    peer: Peer,
    headers: &HeaderMap,
    deed: &Deed<'_>,
    password: Zeroizing<String>,
    what: impl AsyncFnOnce(&Subject, SessionId) -> Result<(), Error>,
) -> Response {
    let (subject, own) = match person(state, headers).await {
        Ok(person) => person,
        Err(response) => return *response,
    };
    let asking = Asking {
        state,
        headers,
        peer,
        subject: &subject,
        own: &own,
    };
    let may = match asking.before(deed, password).await {
        Ok(may) => may,
        Err(response) => return *response,
    };
    let response = match what(&subject, own.id).await {
        Ok(()) => pages::see_other(&format!("{}/account?done=ended", state.base_url())),
        Err(error) => pages::unavailable(state, &error),
    };
    may.hand_out(state, response)
}
