//! A name for every request, in the log and in the answer.

use http::{HeaderName, HeaderValue};
use rand::RngExt;

/// The header that tells it.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id: 32 hex digits, in the span of all its log lines and in its answer. An id that the client sent is not taken
/// over: it would let a stranger write into our log and make two requests look like one.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Draws one.
    #[must_use]
    pub fn draw() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bits = rand::rng().random::<u128>();
        let text: [u8; 32] = std::array::from_fn(|_| {
            let digit = DIGITS[(bits & 15) as usize];
            bits >>= 4;
            digit
        });
        // Digits always are a header value.
        Self(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("")))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As the value of [`X_REQUEST_ID`].
    #[must_use]
    pub fn into_header(self) -> HeaderValue {
        self.0
    }
}
