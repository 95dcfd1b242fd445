//! Values that never reach a log, an error or a printed configuration.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// What is shown in place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// A secret text. It shows as `[redacted]` in `Debug` and when it is serialised, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into keeping.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. The long name is there to be seen in review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The 32 bytes that it is in base64; `None` where it is not.
    #[must_use]
    pub fn base64_bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        use base64::Engine;
        let decoded = base64::engine::general_purpose::STANDARD.decode(&self.0);
        let decoded = Zeroizing::new(decoded.ok()?);
        <[u8; 32]>::try_from(&decoded[..]).ok().map(Zeroizing::new)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// A store URL (INTERFACE section 2). Its password, if it has one, is a secret: `Display`, `Debug` and
/// serialisation leave it out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// Takes the URL as it was written; [`cloakroom::StoreUrl`] is what reads it.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self(url)
    }

    /// The whole URL, password included.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What stands before the first colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cloakroom::store_url_shown(&self.0))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nowhere() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?}"), REDACTED);
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
    }

    #[test]
    fn a_store_url_shows_all_but_its_password() {
        let url = StoreUrl::new("postgres://ada:pw@db/x?sslmode=require".into());
        let shown = "postgres://ada:[redacted]@db/x?sslmode=require";
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), shown);
        assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
    }
}
