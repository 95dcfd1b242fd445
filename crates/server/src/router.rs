//! Every route in one list, and the order of the middleware with its reasons.

use crate::{
    http::{Problem, Via, catch_panic, problems, request_id, security_headers, time_limit},
    observe, openapi,
    state::AppState,
};
use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
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

/// Puts the middleware around the routes. `layer` wraps what is there: the last one here is the first to see a request.
fn with_middleware(routes: Router<AppState>, state: &AppState, via: Via) -> Router {
    let body_limit = state.config().server.request_body_limit.as_usize();
    routes
        .fallback(async || Problem::new(&problems::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::new(&problems::METHOD_NOT_ALLOWED))
        // 6. Every body that an extractor reads is bounded.
        .layer(DefaultBodyLimit::max(body_limit))
        // 5. The limit counts the handler alone, and its 503 passes through all that follows.
        .layer(from_fn_with_state(state.clone(), time_limit))
        // 4. A panic in the handler becomes an answer here, so that it gets headers, a log line and a count as any other.
        .layer(from_fn(catch_panic))
        // 3. Also on answers to panics and timeouts.
        .layer(from_fn_with_state(state.clone(), security_headers))
        // 2. Sees the final status; its span holds everything further in.
        .layer(from_fn(observe::observe_request))
        // 1. The log line needs the request's id and door.
        .layer(from_fn(request_id))
        .layer(Extension(via))
        .with_state(state.clone())
}
