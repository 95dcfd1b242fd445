//! For browsers and proxies: login, account, and who a proxied request comes from.

mod account;
mod auth_request;
mod client;
mod cookies;
mod cross_host;
mod forward_auth;
mod identity;
mod login;
mod logout;
mod pages;
mod password;
mod reproof;
mod sign_in;

use crate::state::AppState;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use cloakroom::CsrfLayer;

pub use pages::Pages;

/// Routes below `base_path`.
pub fn routes(state: &AppState) -> Router<AppState> {
    let pages = Router::new()
        .route("/", get(account::home))
        .route("/login", get(login::show).post(login::submit))
        .route("/logout", post(logout::submit))
        .route("/account", get(account::show))
        .route("/account/end", post(account::end_one))
        .route("/account/end-others", post(account::end_others))
        .route(
            "/account/password",
            get(password::show).post(password::submit),
        )
        .route("/continue", get(cross_host::go_on))
        .route("/callback", get(cross_host::arrive))
        .route("/style.css", get(pages::style))
        .layer(from_fn_with_state(state.clone(), same_site_only));
    // No such guard before these: proxies pass the browser's own Fetch Metadata on.
    pages
        .route("/auth-request", any(auth_request::answer))
        .route("/forward-auth", any(forward_auth::answer))
}

/// FM-1 to FM-6, FM-8: forms are taken from our own pages alone.
async fn same_site_only(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let ours = CsrfLayer::new().origin(&state.public_origin().to_string());
    match ours.map(|rules| rules.check(&request)) {
        Ok(Ok(())) => next.run(request).await,
        _ => {
            tracing::warn!(target: "audit", event = "cross_site_refused", path = request.uri().path(), "a form from another site");
            pages::message(
                &state,
                http::StatusCode::FORBIDDEN,
                "This did not come from here",
                "The request came from another site, so it was not carried out.",
            )
            .into_response()
        }
    }
}
