//! Finding a session that a caller may see.

use super::{problem::session_problem, view};
use crate::{
    credentials::Caller,
    http::{Answer, Problem, problems},
    state::AppState,
};
use axum::response::Response;
use cloakroom::service::{Cause, Error, Resolved, Started};
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

/// Whether the caller may use this token: not where it opens another application's session.
pub(super) async fn may_use(
    state: &AppState,
    caller: &Caller,
    token: &SessionToken,
) -> Answer<bool> {
    if caller.app.is_none() {
        return Ok(true);
    }
    let resolved = state.sessions().open(token).await;
    Ok(match resolved.map_err(|error| session_problem(&error))? {
        Resolved::Live(found) => caller.sees(found.record()),
        // It opens nothing; whoever asks next says so.
        Resolved::Ended(..) => true,
    })
}

/// The token of a request, where the caller may use it. What is not shaped like a token opens nothing.
pub(super) async fn token(state: &AppState, caller: &Caller, text: &str) -> Answer<SessionToken> {
    let gone = || Problem::new(&problems::SESSION_NOT_FOUND);
    let token: SessionToken = text.parse().map_err(|_| gone())?;
    if may_use(state, caller, &token).await? {
        Ok(token)
    } else {
        Err(gone())
    }
}

/// The answer to a failed operation by token; the refusal is counted.
pub(super) fn refused(state: &AppState, token: &SessionToken, error: &Error) -> Problem {
    if let Error::Ended(ended) = error {
        state.refused().note(token.id(), *ended);
    }
    session_problem(error)
}

/// What a login led to, if it is still the session `id`. The engine lets a login that lost its session while it was
/// carried out begin a new one, which suits a browser; here it was asked for a session that has ended.
pub(super) async fn same(state: &AppState, id: SessionId, started: Started) -> Answer<Started> {
    if started.record.id == id {
        return Ok(started);
    }
    let other = started.record.id;
    let ended = state.sessions().end(other, Cause::Ended).await;
    ended.map_err(|error| session_problem(&error))?;
    Err(Problem::new(&problems::SESSION_NOT_FOUND))
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
