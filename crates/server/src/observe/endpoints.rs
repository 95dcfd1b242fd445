//! `/livez`, `/readyz` and `/metrics`.

use crate::{
    http::{Json, Problem, no_store, problems},
    state::AppState,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Whether the server is alive.
#[derive(Serialize, ToSchema)]
pub struct Live {
    /// Always true.
    live: bool,
}

/// Whether the server should get requests.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// Always true here.
    ready: bool,
    /// What was looked at, and `ok`.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    checks: Map<String, Value>,
}

/// Answers as long as the process runs; says nothing about the store.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    security(()),
    responses((status = 200, description = "It lives.", body = Live))
)]
pub async fn livez() -> Response {
    let mut response = Json(Live { live: true }).into_response();
    no_store(response.headers_mut());
    response
}

/// Whether the server should get requests: every check passes and it is not about to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    security(()),
    responses((status = 200, description = "It is ready.", body = Ready))
)]
pub async fn readyz(State(state): State<AppState>) -> Response {
    let mut response = match state.health().ready().await {
        Ok(checks) => {
            let ready = true;
            Json(Ready { ready, checks }).into_response()
        }
        Err(checks) => Problem::new(&problems::NOT_READY)
            .with("checks", Value::Object(checks))
            .into_response(),
    };
    no_store(response.headers_mut());
    response
}

/// All metrics, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operations",
    security(()),
    responses((status = 200, description = "In the text format of Prometheus.", body = String, content_type = "text/plain"))
)]
pub async fn metrics_text(State(state): State<AppState>) -> Response {
    (
        [
            (
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            ),
            (header::CACHE_CONTROL, "no-store"),
        ],
        state.metrics().render(),
    )
        .into_response()
}
