//! Response headers that protect the reader, on every answer.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What every answer gets where its handler did not set it; a page that needs another policy sets its own.
static ALWAYS: [(HeaderName, HeaderValue); 4] = [
    // AV-3.4.4
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // AV-3.4.6; X-Frame-Options for browsers that do not know frame-ancestors.
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Not `no-referrer`: with that, browsers send `Origin: null` along with our own forms.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
];

/// Marks an answer that must not be kept anywhere: it carries a token or depends on one (OW-14).
pub fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Adds what is missing of the security headers. `hsts` is there where the public origin is https.
pub fn add_security_headers(headers: &mut HeaderMap, hsts: Option<&HeaderValue>) {
    // At once: the map would otherwise move twice while it grows.
    headers.reserve(ALWAYS.len() + 2);
    for (name, value) in &ALWAYS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if let Some(value) = hsts {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert_with(|| value.clone());
    }
}

/// A `Retry-After` of 1 to 3 seconds, drawn: clients that were turned away together must not come back together.
pub fn soon() -> http::HeaderValue {
    let seconds: u16 = rand::random_range(1..=3);
    http::HeaderValue::from(seconds)
}
