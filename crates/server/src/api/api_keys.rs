//! `/v1/api-keys`: what the command `api-key` does.

use super::{
    body,
    problem::store_problem,
    view::{answer, nothing, time},
};
use crate::{
    credentials::{Caller, KeyError, Scope},
    http::{Answer, Json, Path, Problem, problems},
    state::AppState,
};
use axum::extract::State;
use cloakroom_core::{App, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An API key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// Its name.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it allows.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// The only application whose sessions it creates and sees.
    #[schema(min_length = 1, max_length = 255)]
    app: Option<String>,
}

/// A key just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyMade<'a> {
    name: &'a str,
    /// Shown this once.
    key: &'a str,
    scopes: &'a [Scope],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    app: Option<&'a App>,
}

/// A key as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    name: String,
    scopes: Vec<Scope>,
    #[schema(value_type = Option<String>)]
    app: Option<App>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList {
    api_keys: Vec<KeyView>,
}

/// Makes an API key.
#[utoipa::path(
    post,
    path = "/v1/api-keys",
    operation_id = "create_api_key",
    tag = "api-keys",
    request_body = KeyBody,
    responses(
        (status = 201, description = "The key, shown this once.", body = KeyMade),
    )
)]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<KeyBody>,
) -> Answer {
    caller.require_operator()?;
    check_name(&asked.name)?;
    if asked.scopes.is_empty() {
        return Err(body::invalid("scopes", "is empty"));
    }
    let app = asked.app.map(App::new).transpose();
    let app = app.map_err(|error| body::invalid("app", &error.to_string()))?;
    let mut scopes = asked.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let now = state.sessions().now();
    let made = state
        .api_keys()
        .create(&asked.name, scopes, app, now)
        .await
        .map_err(problem)?;
    tracing::info!(target: "audit", event = "api_key_created", name = asked.name, caller = caller.name, "API key");
    let view = KeyMade {
        name: &asked.name,
        key: &made.text,
        scopes: &made.key.scopes,
        app: made.key.app.as_ref(),
    };
    Ok(answer(StatusCode::CREATED, &view))
}

fn check_name(name: &str) -> Answer<()> {
    let in_no_path = matches!(name, "." | "..");
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) || in_no_path {
        return Err(body::invalid(
            "name",
            "must have 1 to 100 bytes and no control characters, and not be `.` or `..`",
        ));
    }
    Ok(())
}

/// Lists API keys.
#[utoipa::path(
    get,
    path = "/v1/api-keys",
    operation_id = "list_api_keys",
    tag = "api-keys",
    responses(
        (status = 200, description = "All keys, without their secrets.", body = KeyList),
    )
)]
pub async fn list(State(state): State<AppState>, caller: Caller) -> Answer {
    caller.require_operator()?;
    let sessions = state.sessions();
    let keys = state
        .api_keys()
        .list(sessions.now())
        .await
        .map_err(|error| store_problem(&error))?;
    let api_keys = keys.into_iter().map(|(name, key)| KeyView {
        name,
        created_at: time(sessions.shown(Timestamp::from_millis(key.created_at))),
        scopes: key.scopes,
        app: key.app,
    });
    Ok(answer(
        StatusCode::OK,
        &KeyList {
            api_keys: api_keys.collect(),
        },
    ))
}

/// Takes an API key away; it opens nothing from the answer on.
#[utoipa::path(
    delete,
    path = "/v1/api-keys/{name}",
    operation_id = "revoke_api_key",
    tag = "api-keys",
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 204, description = "It is revoked."),
    )
)]
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require_operator()?;
    check_name(&name).map_err(|_| Problem::new(&problems::API_KEY_NOT_FOUND))?;
    state
        .api_keys()
        .revoke(&name, state.sessions().now())
        .await
        .map_err(problem)?;
    tracing::info!(target: "audit", event = "api_key_revoked", name, caller = caller.name, "API key");
    Ok(nothing())
}

fn problem(error: KeyError) -> Problem {
    match error {
        KeyError::Taken(_) => Problem::new(&problems::ALREADY_EXISTS),
        KeyError::Unknown(_) => Problem::new(&problems::API_KEY_NOT_FOUND),
        KeyError::Store(error) => store_problem(&error),
    }
}
