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
use serde_json::{Value, json};

/// Answers as long as the process runs; says nothing about the store.
pub async fn livez() -> Response {
    let mut response = Json(json!({"live": true})).into_response();
    no_store(response.headers_mut());
    response
}

/// Whether the server should get requests: every check passes and it is not about to stop.
pub async fn readyz(State(state): State<AppState>) -> Response {
    let mut response = match state.health().ready().await {
        Ok(checks) => Json(json!({"ready": true, "checks": checks})).into_response(),
        Err(checks) => Problem::new(&problems::NOT_READY)
            .with("checks", Value::Object(checks))
            .into_response(),
    };
    no_store(response.headers_mut());
    response
}

/// All metrics, for Prometheus.
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
