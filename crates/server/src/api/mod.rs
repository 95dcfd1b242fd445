//! The HTTP API for services: `/v1/…`.

pub mod api_keys;
pub mod body;
pub mod by_id;
pub mod by_token;
pub mod create;
pub mod data;
mod idempotency;
mod if_match;
pub mod listing;
mod problem;
mod scoped;
pub mod users;
pub mod verify;
pub mod view;

use crate::state::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use problem::{FULL_RETRY_AFTER, note_store_error, session_problem, store_problem};
pub use view::time;

/// Every route of the API, in the order of the docs. What a handler's annotation says is where it is found, so the
/// description of the API and the router cannot differ.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create, listing::list))
        .routes(routes!(verify::verify))
        .routes(routes!(by_token::update))
        .routes(routes!(by_token::renew))
        .routes(routes!(by_token::authenticate))
        .routes(routes!(listing::revoke_all))
        .routes(routes!(by_id::read, by_id::change, by_id::end))
        .routes(routes!(by_id::authenticate))
        .routes(routes!(by_id::renew))
        .routes(routes!(listing::revoke_subject))
        .routes(routes!(users::add, users::list))
        .routes(routes!(users::show, users::remove))
        .routes(routes!(users::set_password))
        .routes(routes!(users::disable))
        .routes(routes!(users::enable))
        .routes(routes!(api_keys::create, api_keys::list))
        .routes(routes!(api_keys::revoke))
}
