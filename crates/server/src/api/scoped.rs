//! Finding a session that a caller may see.

use super::{problem::session_problem, view};
use crate::{
    credentials::Caller,
    http::{Answer, Problem, problems},
    state::AppState,
};
use axum::response::Response;
use cloakroom::service::{Resolved, Started};
use cloakroom_core::{Record, SessionId, SessionToken};
use http::StatusCode;
use std::sync::Arc;

/// The live session of this id; one of another application looks like none.
pub(super) async fn by_id(state: &AppState, caller: &Caller, id: &str) -> Answer<Arc<Record>> {
    let gone = || Problem::new(&problems::SESSION_NOT_FOUND);
    let id: SessionId = id.parse().map_err(|_| gone())?;
    let found = state
        .sessions()
        .get(id)
        .await
        .map_err(|error| session_problem(&error))?;
    found.filter(|record| caller.sees(record)).ok_or_else(gone)
}

/// Refuses a token of another application's session.
pub(super) async fn check_token(
    state: &AppState,
    caller: &Caller,
    token: &SessionToken,
) -> Answer<()> {
    if caller.app.is_none() {
        return Ok(());
    }
    match state
        .sessions()
        .open(token)
        .await
        .map_err(|error| session_problem(&error))?
    {
        Resolved::Live(found) if caller.sees(found.record()) => Ok(()),
        _ => Err(Problem::new(&problems::SESSION_NOT_FOUND)),
    }
}

/// The answer with a new token, and its audit event.
pub(super) fn handed_out(
    state: &AppState,
    caller: &Caller,
    event: &'static str,
    started: &Started,
    status: StatusCode,
) -> Response {
    audit(caller, event, &started.record);
    view::started(started, status, state)
}

/// An audit event; it names the session, never its token.
pub(super) fn audit(caller: &Caller, event: &'static str, record: &Record) {
    let subject = record
        .security
        .subject
        .as_ref()
        .map(|subject| subject.as_str());
    tracing::info!(target: "audit", event, session_id = %record.id, subject, caller = caller.name, "session");
}
