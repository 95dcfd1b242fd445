//! Answers of our own: problem details (RFC 9457) in whatever body type the service around us has.

use std::any::Any;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::session::Error;

/// A refusal in the words that clients may hear.
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }

    /// As a response. The body has the text where its type is one that can be made of text (axum's, `String`, `Bytes`);
    /// else it is empty and the status speaks for itself.
    pub(crate) fn into_response<B: Default + 'static>(self) -> Response<B> {
        let title = self.status.canonical_reason().unwrap_or_default();
        let text = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = Response::new(body(text.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The answer to a request whose session could not be read or written.
pub(crate) fn refuse<B: Default + 'static>(error: &Error) -> Response<B> {
    error.log();
    Problem::new(error.status(), error.outward()).into_response()
}

fn body<B: Default + 'static>(text: String) -> B {
    #[cfg(feature = "axum")]
    if let Some(body) = same::<_, B>(|| axum_core::body::Body::from(text.clone())) {
        return body;
    }
    if let Some(body) = same::<_, B>(|| bytes::Bytes::from(text.clone())) {
        return body;
    }
    same(|| text).unwrap_or_default()
}

/// The value, where both types are the same.
fn same<A: 'static, B: 'static>(make: impl FnOnce() -> A) -> Option<B> {
    let mut wanted: Option<B> = None;
    let slot = (&mut wanted as &mut dyn Any).downcast_mut::<Option<A>>()?;
    *slot = Some(make());
    wanted
}
