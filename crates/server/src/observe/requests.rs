//! One span, one log line and two metrics for every request.

use crate::http::{RequestId, Via};
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::Method;
use std::time::Instant;
use tracing::Instrument;

/// Observes a request. Only the route's template is told, never the path or query: they may hold names and codes.
pub async fn observe_request(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = method_label(request.method());
    let id = request
        .extensions()
        .get::<RequestId>()
        .map_or("", |id| id.0.as_str());
    let via = if request.extensions().get::<Via>() == Some(&Via::Control) {
        "control"
    } else {
        "network"
    };
    let span = tracing::info_span!("request", id, method, route, via);
    let response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status(), started.elapsed());
    metrics::counter!("cloakroom_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.as_str().to_owned())
        .increment(1);
    metrics::histogram!("cloakroom_http_request_duration_seconds", "method" => method, "route" => route).record(took.as_secs_f64());
    let _entered = span.enter();
    let (status, micros) = (
        status.as_u16(),
        u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    );
    if status >= 500 {
        tracing::warn!(target: "access", status, micros, "answered");
    } else {
        tracing::debug!(target: "access", status, micros, "answered");
    }
    response
}

/// A stranger may send any method; a label for each would fill the memory.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
