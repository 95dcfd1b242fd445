//! A name for every request, in the log and in the answer.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};
use rand::RngExt;
use std::fmt::Write;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id: 32 hex digits. Every request carries it as an extension.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Names the request. An id that the client sent is not taken over: it would let a stranger write into our log
/// and make two requests look like one.
pub async fn request_id(mut request: Request, next: Next) -> Response {
    let mut id = String::with_capacity(32);
    let _ = write!(id, "{:032x}", rand::rng().random::<u128>());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}
