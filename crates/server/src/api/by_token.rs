//! The calls of a holder of a token: `/v1/sessions/{update,renew,authenticate}`.

use super::{
    body,
    data::Object,
    problem::session_problem,
    scoped,
    view::{StartedView, View},
};
use crate::{
    credentials::{Caller, Scope},
    http::{Answer, Json},
    state::AppState,
};
use axum::extract::State;
use cloakroom::service::Target;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes of a session's data by its token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBody {
    /// The token.
    session_token: String,
    /// Names that get a value.
    set: Option<Object>,
    /// Names that go.
    remove: Option<Vec<String>>,
}

/// Changes data; only the named keys change.
#[utoipa::path(
    post,
    path = "/v1/sessions/update",
    operation_id = "update_session_by_token",
    tag = "sessions",
    request_body = UpdateBody,
    responses(
        (status = 200, description = "The session, and the token to use from now on.", body = View),
    )
)]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<UpdateBody>,
) -> Answer {
    caller.require(Scope::SessionsWrite)?;
    let edits = body::edits(asked.set, asked.remove)?;
    let token = scoped::token(&state, &caller, &asked.session_token).await?;
    let record = state
        .sessions()
        .update(Target::Token(&token), edits, None)
        .await;
    let record = record.map_err(|error| scoped::refused(&state, &token, &error))?;
    Ok(View::of(&record, &state)
        .with_token(token.expose())
        .into_response())
}

/// A token to renew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewBody {
    /// The token.
    session_token: String,
}

/// A new token; the old one works until the new one was first seen, and 10 s longer.
#[utoipa::path(
    post,
    path = "/v1/sessions/renew",
    operation_id = "renew_session_by_token",
    tag = "sessions",
    request_body = RenewBody,
    responses(
        (status = 200, description = "The session and its new token.", body = StartedView),
    )
)]
pub async fn renew(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<RenewBody>,
) -> Answer {
    caller.require(Scope::SessionsWrite)?;
    let token = scoped::token(&state, &caller, &asked.session_token).await?;
    let started = state.sessions().renew(Target::Token(&token)).await;
    let started = started.map_err(|error| scoped::refused(&state, &token, &error))?;
    Ok(scoped::handed_out(
        &state,
        &caller,
        "renew",
        &started,
        StatusCode::OK,
    ))
}

/// A proof for the session of a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticateBody {
    /// The token.
    session_token: String,
    /// Who was proven.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    subject: String,
    /// How strongly.
    #[schema(max_length = 512)]
    acr: Option<String>,
    /// By which methods.
    #[schema(max_items = 16)]
    amr: Option<Vec<String>>,
}

/// The subject was proven: a new token, the old one opens nothing from that moment.
#[utoipa::path(
    post,
    path = "/v1/sessions/authenticate",
    operation_id = "authenticate_session_by_token",
    tag = "sessions",
    request_body = AuthenticateBody,
    responses(
        (status = 200, description = "The session and its new token.", body = StartedView),
    )
)]
pub async fn authenticate(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<AuthenticateBody>,
) -> Answer {
    caller.require(Scope::SessionsWrite)?;
    let admitted = state
        .sessions()
        .admitted()
        .await
        .map_err(|error| session_problem(&error))?;
    let proof = body::proof(asked.subject, asked.acr, asked.amr)?;
    let token = scoped::token(&state, &caller, &asked.session_token).await?;
    let started = state
        .sessions()
        .authenticate(Target::Token(&token), proof, admitted)
        .await;
    let started = started.map_err(|error| scoped::refused(&state, &token, &error))?;
    let started = scoped::same(&state, token.id(), started).await?;
    Ok(scoped::handed_out(
        &state,
        &caller,
        "authenticate",
        &started,
        StatusCode::OK,
    ))
}
