//! Problem details (RFC 9457): the one form in which every error leaves the server.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// A kind of problem: stable in type, title and status. All of them stand in [`super::problems`].
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The last part of the type URI `urn:cloakroom:problem:…`.
    pub slug: &'static str,
    /// A short summary that never changes.
    pub title: &'static str,
    /// The status that answers have.
    pub status: StatusCode,
    /// When a client meets it and what it can do, for the docs.
    pub meaning: &'static str,
}

impl Kind {
    /// The type URI (RFC 9457 section 3.1.1).
    #[must_use]
    pub fn uri(&self) -> String {
        format!("urn:cloakroom:problem:{}", self.slug)
    }
}

/// One occurrence of a problem, ready to be answered. What is in it goes to the caller: no secrets, no inner causes.
#[derive(Debug, Clone)]
#[must_use]
pub struct Problem(Box<Occurrence>);

/// Boxed: a problem is the rare case, and every handler's result would be as large as this.
#[derive(Debug, Clone)]
struct Occurrence {
    kind: &'static Kind,
    detail: Option<String>,
    extra: Map<String, Value>,
    headers: Vec<(http::HeaderName, HeaderValue)>,
}

/// What a handler gives back: an answer, or a problem.
pub type Answer<T = Response> = Result<T, Problem>;

impl Problem {
    /// An occurrence of this kind.
    pub fn new(kind: &'static Kind) -> Self {
        Self(Box::new(Occurrence {
            kind,
            detail: None,
            extra: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// Says what is wrong this time, for the person who reads it.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an extension member (RFC 9457 section 3.2).
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a response header, such as `Retry-After` or `WWW-Authenticate`.
    pub fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.0.kind
    }
}

impl From<&'static Kind> for Problem {
    fn from(kind: &'static Kind) -> Self {
        Self::new(kind)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Occurrence {
            kind,
            detail,
            extra: mut body,
            headers: more,
        } = *self.0;
        body.insert("type".into(), kind.uri().into());
        body.insert("title".into(), kind.title.into());
        body.insert("status".into(), kind.status.as_u16().into());
        if let Some(detail) = detail {
            body.insert("detail".into(), detail.into());
        }
        let mut response = (kind.status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        // An error must not be kept by a cache between us and the caller: the next answer may be another.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in more {
            headers.append(name, value);
        }
        response
    }
}
