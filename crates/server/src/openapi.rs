//! The description of the API (OpenAPI 3.1), made from the handlers themselves.

use crate::http::Json;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;

/// Handlers annotated with `#[utoipa::path]` are listed here.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cloakroom",
        description = "Web sessions: create, verify, read, change, renew and end them."
    ),
    paths()
)]
struct Document;

/// The document as it is served and printed.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// `GET /openapi.json`
pub async fn serve() -> Response {
    Json(document()).into_response()
}
