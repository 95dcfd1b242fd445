//! A checked cookie, ready to be set and cleared.

use std::str::FromStr;
use std::time::Duration;

use cloakroom_core::SessionToken;
use http::HeaderValue;

use super::{CookieBuilder, CookieError};

/// Browsers cap lifetimes here: 400 days (CK-5).
const MAX_AGE_MAX: u64 = 34_560_000;

/// The session cookie of one application: name and attributes, checked.
///
/// The default is `__Host-session; HttpOnly; Secure; SameSite=Lax; Path=/`, gone with the browser (OW-6, AV-3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieConfig {
    name: Box<str>,
    attributes: Box<str>,
    persistent: bool,
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "__Host-session".into(),
            attributes: "; HttpOnly; Secure; SameSite=Lax; Path=/".into(),
            persistent: false,
        }
    }
}

impl CookieConfig {
    /// Starts from the default.
    pub fn builder() -> CookieBuilder {
        CookieBuilder::default()
    }

    pub(super) fn checked(name: String, attributes: String, persistent: bool) -> Self {
        Self {
            name: name.into(),
            attributes: attributes.into(),
            persistent,
        }
    }

    /// Its name: exactly this one is accepted, case-sensitively.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it survives the end of the browser.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// The `Set-Cookie` value that hands out `token`. `lifetime` is what is left of the session; a persistent cookie
    /// gets it as Max-Age, at least 1 s and at most 400 days. The server never relies on it (CK-6).
    ///
    /// The value is marked sensitive, so that nothing prints it.
    pub fn set(&self, token: &SessionToken, lifetime: Duration) -> HeaderValue {
        let token = token.expose();
        if self.persistent {
            let age = lifetime.as_secs().clamp(1, MAX_AGE_MAX);
            self.render(&token, &format!("; Max-Age={age}"))
        } else {
            self.render(&token, "")
        }
    }

    /// The `Set-Cookie` value that takes the cookie away, with the attributes it was set with (CK-7).
    pub fn clear(&self) -> HeaderValue {
        self.render("", "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    }

    fn render(&self, value: &str, lifetime: &str) -> HeaderValue {
        let text = [&self.name, "=", value, &self.attributes, lifetime].concat();
        // The builder let only visible ASCII and spaces through (CK-16), and so does the token's alphabet.
        #[expect(
            clippy::expect_used,
            reason = "every part was checked when the configuration was built"
        )]
        let mut header = HeaderValue::try_from(text).expect("a checked cookie is a header value");
        header.set_sensitive(true);
        header
    }

    /// Whether `set_cookie`, the value of a `Set-Cookie` field, sets the cookie of this name.
    pub(crate) fn is_set_by(&self, set_cookie: &HeaderValue) -> bool {
        let name = self.name.as_bytes();
        let rest = set_cookie.as_bytes().strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest.first(), Some(b'=' | b' ' | b'\t')))
    }
}

/// With which requests of other sites the cookie is sent (CK-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With top-level navigations by a safe method.
    #[default]
    Lax,
    /// With all. Needs Secure.
    None,
}

impl SameSite {
    /// As it stands in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

impl FromStr for SameSite {
    type Err = CookieError;

    /// In any case; anything else would mean Lax to a browser, so it is an error.
    fn from_str(text: &str) -> Result<Self, CookieError> {
        [Self::Strict, Self::Lax, Self::None]
            .into_iter()
            .find(|value| value.as_str().eq_ignore_ascii_case(text))
            .ok_or(CookieError::SameSite)
    }
}
