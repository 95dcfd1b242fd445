//! The calls by session id: `/v1/sessions/{session_id}…`.

use super::{
    body,
    data::Object,
    if_match::IfMatch,
    problem::session_problem,
    scoped,
    view::{StartedView, View, nothing},
};
use crate::{
    credentials::{Caller, Scope},
    http::{Answer, Json, Path, problems},
    state::AppState,
};
use axum::extract::State;
use cloakroom::service::{Cause, Target};
use cloakroom_core::SessionId;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

/// Reads a session; this is no use of it.
#[utoipa::path(
    get,
    path = "/v1/sessions/{session_id}",
    operation_id = "get_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "Its public handle.")),
    responses(
        (status = 200, description = "The session; its version is the ETag.", body = View),
    )
)]
pub async fn read(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.require(Scope::SessionsRead)?;
    let record = scoped::by_id(&state, &caller, &id).await?;
    Ok(View::of(&record, &state).into_response())
}

/// Changes of a session's data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeBody {
    /// Names that get a value.
    set: Option<Object>,
    /// Names that go.
    remove: Option<Vec<String>>,
}

/// Changes data; only the named keys change.
#[utoipa::path(
    patch,
    path = "/v1/sessions/{session_id}",
    operation_id = "update_session",
    tag = "sessions",
    params(
        ("session_id" = String, Path, description = "Its public handle."),
        ("If-Match" = Option<String>, Header, description = "Only where the session is at this version."),
    ),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The session with its new version.", body = View),
    )
)]
pub async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<ChangeBody>,
) -> Answer {
    caller.require(Scope::SessionsWrite)?;
    let wanted = IfMatch::of(&headers)?;
    let edits = body::edits(asked.set, asked.remove)?;
    let found = scoped::by_id(&state, &caller, &id).await?;
    let version = wanted.pick(found.version)?;
    let record = state
        .sessions()
        .update(Target::Id(found.id), edits, version)
        .await;
    let record = record.map_err(|error| session_problem(&error))?;
    Ok(View::of(&record, &state).into_response())
}

/// Ends a session; also done where it had ended.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session_id}",
    operation_id = "end_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "Its public handle.")),
    responses(
        (status = 204, description = "It has ended."),
    )
)]
pub async fn end(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.require(Scope::SessionsWrite)?;
    // What cannot be the id of a session is the id of none.
    let Ok(id) = id.parse::<SessionId>() else {
        return Ok(nothing());
    };
    if caller.app.is_some() {
        match scoped::by_id(&state, &caller, &id.to_string()).await {
            Ok(_) => {}
            Err(problem) if problem.kind() == &problems::SESSION_NOT_FOUND => return Ok(nothing()),
            Err(problem) => return Err(problem),
        }
    }
    let ended = state
        .sessions()
        .end(id, Cause::Revoked)
        .await
        .map_err(|error| session_problem(&error))?;
    if let Some(record) = ended {
        scoped::audit(&caller, "end", &record);
    }
    Ok(nothing())
}

/// The subject was proven: a new token, the old one opens nothing from that moment.
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/authenticate",
    operation_id = "authenticate_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "Its public handle.")),
    request_body = body::ProofBody,
    responses(
        (status = 200, description = "The session and its new token.", body = StartedView),
    )
)]
pub async fn authenticate(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(asked): Json<body::ProofBody>,
) -> Answer {
    caller.require(Scope::SessionsImpersonate)?;
    let admitted = state
        .sessions()
        .admitted()
        .await
        .map_err(|error| session_problem(&error))?;
    let proof = body::proof(asked.subject, asked.acr, asked.amr)?;
    let found = scoped::by_id(&state, &caller, &id).await?;
    let started = state
        .sessions()
        .authenticate(Target::Id(found.id), proof, admitted)
        .await;
    let started = started.map_err(|error| session_problem(&error))?;
    let started = scoped::same(&state, found.id, started).await?;
    Ok(scoped::handed_out(
        &state,
        &caller,
        "authenticate_by_id",
        &started,
        StatusCode::OK,
    ))
}

/// A new token; the old one works until the new one was first seen, and 10 s longer.
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/renew",
    operation_id = "renew_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "Its public handle.")),
    responses(
        (status = 200, description = "The session and its new token.", body = StartedView),
    )
)]
pub async fn renew(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    caller.require(Scope::SessionsImpersonate)?;
    let found = scoped::by_id(&state, &caller, &id).await?;
    let started = state.sessions().renew(Target::Id(found.id)).await;
    let started = started.map_err(|error| session_problem(&error))?;
    Ok(scoped::handed_out(
        &state,
        &caller,
        "renew_by_id",
        &started,
        StatusCode::OK,
    ))
}
