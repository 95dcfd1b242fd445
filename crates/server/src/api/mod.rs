//! The HTTP API for services: `/v1/…`.

pub mod api_keys;
pub mod body;
pub mod by_id;
pub mod by_token;
pub mod create;
pub mod data;
mod idempotency;
pub mod listing;
mod problem;
mod scoped;
pub mod users;
pub mod verify;
pub mod view;

use crate::state::AppState;
use axum::{
    Router,
    routing::{delete, get, post, put},
};

pub use problem::{session_problem, store_problem};
pub use view::time;

/// Every route of the API, in the order of the docs.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/v1/sessions", post(create::create).get(listing::list))
        .route("/v1/sessions/verify", post(verify::verify))
        .route("/v1/sessions/update", post(by_token::update))
        .route("/v1/sessions/renew", post(by_token::renew))
        .route("/v1/sessions/authenticate", post(by_token::authenticate))
        .route("/v1/sessions/revoke-all", post(listing::revoke_all))
        .route(
            "/v1/sessions/{session_id}",
            get(by_id::read).patch(by_id::change).delete(by_id::end),
        )
        .route(
            "/v1/sessions/{session_id}/authenticate",
            post(by_id::authenticate),
        )
        .route("/v1/sessions/{session_id}/renew", post(by_id::renew))
        .route(
            "/v1/subjects/{subject}/sessions",
            delete(listing::revoke_subject),
        )
        .route("/v1/api-keys", post(api_keys::create).get(api_keys::list))
        .route("/v1/api-keys/{name}", delete(api_keys::revoke))
        .route("/v1/users", post(users::add).get(users::list))
        .route("/v1/users/{name}", delete(users::remove))
        .route("/v1/users/{name}/password", put(users::password))
        .route("/v1/users/{name}/disable", post(users::disable))
        .route("/v1/users/{name}/enable", post(users::enable))
}

/// The paths of [`routes`] for the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create::create,
    listing::list,
    verify::verify,
    by_token::update,
    by_token::renew,
    by_token::authenticate,
    listing::revoke_all,
    by_id::read,
    by_id::change,
    by_id::end,
    by_id::authenticate,
    by_id::renew,
    listing::revoke_subject,
    api_keys::create,
    api_keys::list,
    api_keys::revoke,
    users::add,
    users::list,
    users::remove,
    users::password,
    users::disable,
    users::enable,
))]
pub struct Paths;
