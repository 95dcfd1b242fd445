//! Every route in one list, and the order of the middleware with its reasons.

use crate::{
    envelope::EnvelopeLayer,
    http::{Problem, Via, problems},
    observe, openapi,
    state::AppState,
};
use axum::{Router, extract::DefaultBodyLimit};
use tower::layer::util::Stack;
use utoipa_axum::{router::OpenApiRouter, routes};

/// For whoever runs the server.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(observe::endpoints::livez))
        .routes(routes!(observe::endpoints::readyz))
        .routes(routes!(observe::endpoints::metrics_text))
        .routes(routes!(openapi::document::serve))
}

/// What services and operators call: JSON, API keys. The same routes stand behind the listener and behind `control.sock`.
pub fn described() -> OpenApiRouter<AppState> {
    crate::api::routes().merge(operations())
}

/// For browsers and proxies, below `base_path`. Only behind the listener.
fn browser(state: &AppState) -> Router<AppState> {
    crate::front::routes(state)
}

/// What the configured listener serves.
pub fn network(state: &AppState) -> Router {
    let base_path = &state.config().server.base_path;
    let routes = Router::from(described());
    // axum nests at a path only; the empty base path is the root.
    let routes = if base_path.is_empty() {
        routes.merge(browser(state))
    } else {
        routes.nest(base_path, browser(state))
    };
    with_middleware(routes, state, Via::Network)
}

/// What `control.sock` serves, and a command that opened the data directory itself.
pub fn control(state: &AppState) -> Router {
    with_middleware(described().into(), state, Via::Control)
}

/// Puts the middleware around the routes: one layer of two, because each one that the router knows of is a box and a
/// clone for every request.
fn with_middleware(routes: Router<AppState>, state: &AppState, via: Via) -> Router {
    let body_limit = state.config().server.request_body_limit.as_usize();
    // Every body that an extractor reads is bounded; around that, what stands in `envelope`.
    let middleware = Stack::new(
        DefaultBodyLimit::max(body_limit),
        EnvelopeLayer::new(state.clone(), via),
    );
    routes
        .fallback(async || Problem::new(&problems::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::new(&problems::METHOD_NOT_ALLOWED))
        .layer(middleware)
        .with_state(state.clone())
}
