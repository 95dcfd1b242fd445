//! Extractors whose refusals are problems.

use super::{Problem, problems};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

/// A JSON body. As an extractor it wants `Content-Type: application/json` (415), at most the configured number of
/// bytes (413), valid JSON (400) and the fields that `T` knows (400, named); as an answer it is JSON.
///
/// `T` must carry `#[serde(deny_unknown_fields)]`: a misspelt optional field would otherwise be ignored in silence.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(&problems::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    // The rest of the body is not read, so the connection cannot be used again: the client should know.
                    Problem::new(&problems::TOO_LARGE)
                        .detail("the body is over the limit")
                        .header(header::CONNECTION, HeaderValue::from_static("close"))
                } else {
                    Problem::new(&problems::MALFORMED_REQUEST)
                        .detail("the body could not be read to its end")
                }
            })?;
        parse(&bytes).map(Self)
    }
}

/// Reads JSON strictly: nothing before, nothing after, no unknown field where the type says so.
///
/// # Errors
/// 400 with the place or the field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Keeping track of where it is costs an allocation a member, so only what cannot be read is read so.
    serde_json::from_slice(bytes).or_else(|_| parse_tracked(bytes))
}

fn parse_tracked<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            // serde_json appends " at line 1 column 9", which says nothing about compact bodies.
            let text = inner.to_string();
            let why = text
                .rsplit_once(" at line ")
                .map_or(text.as_str(), |(why, _)| why);
            // Of a missing or doubled member serde tells the name only in its text.
            let quoted = || why.split('`').nth(1).unwrap_or_default().to_owned();
            let field = if path == "." { quoted() } else { path };
            Problem::new(&problems::INVALID_FIELD)
                .detail(why)
                .with("field", field)
        } else {
            malformed(&inner)
        }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let at = format!("line {} column {}", error.line(), error.column());
    let why = if error.is_eof() {
        "it ends too early"
    } else {
        "it cannot be read"
    };
    Problem::new(&problems::MALFORMED_JSON).detail(format!("{why} at {at}"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return true;
    }
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("application/") && essence.ends_with("+json")
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        // Most answers fit, so the buffer does not grow step by step.
        let mut body = Vec::with_capacity(512);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Problem::new(&problems::INTERNAL).into_response()
            }
        }
    }
}

/// The query, or 400 that says what is wrong with it.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let why = text.split_once(": ").map_or(text.as_str(), |(_, why)| why);
                Problem::new(&problems::MALFORMED_REQUEST).detail(format!("query: {why}"))
            })
    }
}

/// The captured parts of the path, or 400.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| {
            Problem::new(&problems::MALFORMED_REQUEST).detail("the path could not be read")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only read by serde")]
        subject: Option<String>,
    }

    async fn refused(body: &'static str, content_type: &str) -> (u16, serde_json::Value) {
        let request = Request::builder()
            .header(header::CONTENT_TYPE, content_type)
            .body(body.into())
            .unwrap();
        let response = Json::<Body>::from_request(request, &())
            .await
            .unwrap_err()
            .into_response();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn refusals_are_problems_that_name_the_field() {
        let json = "application/json";
        for (body, content_type, status, slug, field) in [
            ("{}", "text/plain", 415, "unsupported-media-type", None),
            ("{", json, 400, "malformed-json", None),
            ("{} x", json, 400, "malformed-json", None),
            (r#"{"sub": 1}"#, json, 400, "invalid-field", Some("sub")),
            (
                r#"{"subject": 1}"#,
                json,
                400,
                "invalid-field",
                Some("subject"),
            ),
            (
                r#"{"subject": "a", "subject": "b"}"#,
                json,
                400,
                "invalid-field",
                Some("subject"),
            ),
        ] {
            let (got, problem) = refused(body, content_type).await;
            assert_eq!(
                (got, problem["type"].as_str().unwrap()),
                (status, &*format!("urn:cloakroom:problem:{slug}")),
                "{body}"
            );
            assert_eq!(problem["field"].as_str(), field, "{body}: {problem}");
        }
    }
}
