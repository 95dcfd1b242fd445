//! The problems that each operation may answer.

use crate::http::{
    Kind,
    problems::{
        ALREADY_EXISTS, API_KEY_NOT_FOUND, CONFLICT, FORBIDDEN, FULL, IDEMPOTENCY_KEY_REUSED,
        INTERNAL, INVALID_FIELD, MALFORMED_JSON, MALFORMED_REQUEST, NOT_READY, SESSION_NOT_FOUND,
        SUBJECT_NOT_FOUND, TIMED_OUT, TOO_LARGE, TOO_MANY_REQUESTS, TOO_MANY_SESSIONS,
        UNAUTHENTICATED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE, VERSION_MISMATCH,
    },
};
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::{
        Content, HeaderBuilder, HttpMethod, Object, OpenApi, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        schema::Type,
    },
};

/// Problem details (RFC 9457). Some problems have further members.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemView {
    /// What kind of problem it is.
    #[schema(example = "urn:cloakroom:problem:session-not-found")]
    r#type: String,
    /// A short summary of the kind.
    title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time.
    detail: Option<String>,
    /// Which field is not valid.
    field: Option<String>,
    /// Which scope is missing.
    scope: Option<String>,
}

/// What an operation answers beside what every operation with its inputs does.
fn own(method: &HttpMethod, path: &str) -> Vec<&'static Kind> {
    use HttpMethod::{Get, Patch, Post};
    match (method, path) {
        (Post, "/v1/sessions") => vec![
            &CONFLICT,
            &IDEMPOTENCY_KEY_REUSED,
            &TOO_MANY_SESSIONS,
            &FULL,
        ],
        (Post, "/v1/sessions/authenticate" | "/v1/sessions/{session_id}/authenticate") => {
            vec![&SESSION_NOT_FOUND, &CONFLICT, &TOO_MANY_SESSIONS, &FULL]
        }
        (
            Post,
            "/v1/sessions/update" | "/v1/sessions/renew" | "/v1/sessions/{session_id}/renew",
        ) => vec![&SESSION_NOT_FOUND, &FULL],
        (Get, "/v1/sessions/{session_id}") => vec![&SESSION_NOT_FOUND],
        (Patch, "/v1/sessions/{session_id}") => {
            vec![&SESSION_NOT_FOUND, &VERSION_MISMATCH, &FULL]
        }
        (Post, "/v1/users") => vec![&ALREADY_EXISTS, &TOO_MANY_REQUESTS],
        (_, "/v1/users/{name}/password") => vec![&SUBJECT_NOT_FOUND, &TOO_MANY_REQUESTS],
        (_, path) if path.starts_with("/v1/users/") => vec![&SUBJECT_NOT_FOUND],
        (Post, "/v1/api-keys") => vec![&ALREADY_EXISTS],
        (_, "/v1/api-keys/{name}") => vec![&API_KEY_NOT_FOUND],
        (_, "/readyz") => vec![&NOT_READY],
        _ => Vec::new(),
    }
}

/// Adds to every operation the problems that it may answer.
pub(super) fn add_problems(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let mut kinds = vec![&INTERNAL, &TIMED_OUT];
            // An empty requirement stands for "no key" at the operations that need none.
            if operation.security.is_none() {
                kinds.extend([&UNAUTHENTICATED, &FORBIDDEN, &UNAVAILABLE]);
            }
            if operation
                .parameters
                .as_ref()
                .is_some_and(|all| !all.is_empty())
            {
                kinds.extend([&MALFORMED_REQUEST, &INVALID_FIELD]);
            }
            if operation.request_body.is_some() {
                kinds.extend([&MALFORMED_REQUEST, &MALFORMED_JSON, &INVALID_FIELD]);
                kinds.extend([&TOO_LARGE, &UNSUPPORTED_MEDIA_TYPE]);
            }
            kinds.extend(own(&method, path));
            describe(operation, &kinds);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Delete, &mut item.delete),
        (HttpMethod::Patch, &mut item.patch),
    ];
    let there = all.into_iter();
    there.filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// One answer for each status; its text lists the kinds.
fn describe(operation: &mut Operation, kinds: &[&Kind]) {
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for kind in kinds {
        let lines = by_status.entry(kind.status.as_u16()).or_default();
        let line = format!("`{}`: {}. {}", kind.uri(), kind.title, kind.meaning);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    for (status, lines) in by_status {
        let schema = Ref::from_schema_name("Problem");
        let mut response = ResponseBuilder::new()
            .description(lines.join("\n\n"))
            .content("application/problem+json", Content::new(Some(schema)));
        let header = match StatusCode::from_u16(status) {
            Ok(StatusCode::UNAUTHORIZED) => Some("WWW-Authenticate"),
            Ok(StatusCode::TOO_MANY_REQUESTS) => Some("Retry-After"),
            _ => None,
        };
        if let Some(header) = header {
            let text = HeaderBuilder::new().schema(Some(Object::with_type(Type::String)));
            response = response.header(header, text.build());
        }
        let response = RefOr::T(response.build());
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), response);
    }
}

#[cfg(test)]
mod tests {
    use crate::http::problems::ALL;

    /// A kind that no operation lists is one of the browser's pages, of a path or of a head, before any operation.
    #[test]
    fn every_kind_is_listed_somewhere() {
        let text = serde_json::to_string(&crate::openapi::document()).unwrap();
        let elsewhere = [
            "sign-in",
            "cross-site",
            "not-found",
            "method-not-allowed",
            "head-too-large",
        ];
        for kind in ALL {
            let listed = text.contains(&format!("`{}`", kind.uri()));
            assert_eq!(listed, !elsewhere.contains(&kind.slug), "{}", kind.slug);
        }
    }
}
