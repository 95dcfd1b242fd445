//! The document: what the handlers' annotations say, and what all of them share.

use super::problems::{ProblemView, add_problems};
use crate::router;
use axum::{
    body::Bytes,
    response::{IntoResponse, Response},
};
use http::header;
use std::sync::LazyLock;
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Document,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

/// The name of the security scheme.
const KEY: &str = "api_key";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cloakroom",
        description = "Web sessions: create, verify, read, change, renew and end them. Times are RFC 3339 UTC, durations whole seconds. Every error is a problem (RFC 9457) whose `type` is one of those that the answer lists.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(ProblemView)),
    tags(
        (name = "sessions", description = "Sessions, by token and by id."),
        (name = "users", description = "The small built-in directory."),
        (name = "api-keys", description = "Credentials of services."),
        (name = "operations", description = "For whoever runs the server; without a key.")
    )
)]
struct Frame;

/// The document as it is served and printed.
#[must_use]
pub fn document() -> Document {
    let mut document = router::described().into_openapi();
    let frame = Frame::openapi();
    document.info = frame.info;
    document.tags = frame.tags;
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .extend(frame.components.unwrap_or_default().schemas);
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.description = Some("An API key, made by `cloakroom api-key create`.".to_owned());
    components.add_security_scheme(KEY, SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new(KEY, [""; 0])]);
    add_problems(&mut document);
    document
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operations",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value))
)]
pub async fn serve() -> Response {
    // It depends on nothing that changes while the process runs.
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| serde_json::to_vec(&document()).unwrap_or_default().into());
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, TEXT.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_operation_tells_its_problems_and_needs_a_key() {
        let document = serde_json::to_value(document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["security"], serde_json::json!([{KEY: []}]));
        let mut ids = std::collections::HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let here = format!("{method} {path}");
                assert!(operation["summary"].is_string(), "{here}");
                assert!(ids.insert(operation["operationId"].clone()), "{here}");
                let has = |status: &str| operation["responses"][status].is_object();
                assert!(has("500") && has("503"), "{here}");
                assert!(path.starts_with("/v1/") == has("401"), "{here}");
                assert!(
                    path.starts_with("/v1/") == operation["security"].is_null(),
                    "{here}"
                );
                let takes_a_body = operation["requestBody"].is_object();
                assert_eq!(
                    (has("413"), has("415")),
                    (takes_a_body, takes_a_body),
                    "{here}"
                );
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, whole: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(to)) = members.get("$ref") {
                        let found = whole.pointer(to.trim_start_matches('#'));
                        assert!(found.is_some(), "{to}");
                    }
                    members.values().for_each(|value| check(value, whole));
                }
                Value::Array(items) => items.iter().for_each(|value| check(value, whole)),
                _ => {}
            }
        }
        let document = serde_json::to_value(document()).unwrap();
        check(&document, &document);
    }
}
