//! The description of the API (OpenAPI 3.1), made from the handlers themselves.

use crate::http::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

/// Handlers annotated with `#[utoipa::path]` are listed here.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cloakroom",
        description = "Web sessions: create, verify, read, change, renew and end them."
    ),
    components(schemas(ProblemView)),
    modifiers(&Keys)
)]
struct Document;

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemView {
    /// What kind of problem it is; the kinds are listed in the docs.
    #[schema(example = "urn:cloakroom:problem:session-not-found")]
    r#type: String,
    /// A short summary of the kind.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong this time.
    detail: Option<String>,
}

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", scheme);
        document.security = Some(vec![SecurityRequirement::new("api_key", [""; 0])]);
    }
}

/// The document as it is served and printed.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(crate::api::Paths::openapi());
    document
}

/// `GET /openapi.json`
pub async fn serve() -> Response {
    Json(document()).into_response()
}
