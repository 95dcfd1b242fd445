//! Response headers that protect the reader, on every answer.

use crate::state::AppState;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, header};

/// Marks an answer that must not be kept anywhere: it carries a token or depends on one (OW-14).
pub fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Adds what is missing of the security headers; a page that needs another policy sets its own.
pub async fn security_headers(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // AV-3.4.4
    set_missing(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // AV-3.4.6; X-Frame-Options for browsers that do not know frame-ancestors.
    set_missing(
        headers,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    set_missing(headers, header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: with that, browsers send `Origin: null` along with our own forms.
    set_missing(headers, header::REFERRER_POLICY, "same-origin");
    if let Some(value) = state.hsts() {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert_with(|| value.clone());
    }
    response
}

fn set_missing(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}
