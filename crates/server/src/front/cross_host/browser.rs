//! The browser that a login is carried over to, known again by a random secret in a cookie of that host.
//!
//! As PKCE binds a code to who asked for it (RFC 7636): the host with the login hears only the hash, and the code that it
//! gives out opens something only together with the secret. So a link with somebody else's code signs nobody in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, time::Duration};

/// How long a browser keeps it: long enough for the way there and back, with room for a slow network.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(300);

/// Characters of 32 bytes in base64url, as both texts are.
const LENGTH: usize = 43;

/// What the browser holds.
pub(super) struct BrowserSecret(String);

impl BrowserSecret {
    /// A new one; `random` must come from the system's generator.
    pub(super) fn from_bytes(random: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random))
    }

    /// What a cookie says; `None` where it cannot be one.
    pub(super) fn read(text: &str) -> Option<Self> {
        is_encoded(text).then(|| Self(text.to_owned()))
    }

    /// The text for the cookie, and for nobody else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// What may stand in an address.
    pub(super) fn hash(&self) -> BrowserHash {
        BrowserHash(URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.as_bytes())))
    }
}

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserSecret(..)")
    }
}

/// By what the host with the login knows the browser; it opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::front) struct BrowserHash(String);

impl BrowserHash {
    /// What an address says; `None` where it cannot be one.
    pub(in crate::front) fn read(text: &str) -> Option<Self> {
        is_encoded(text).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_encoded(text: &str) -> bool {
    text.len() == LENGTH
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_its_hash_tells_browsers_apart() {
        let secret = BrowserSecret::from_bytes([7; 32]);
        let again = BrowserSecret::read(secret.expose()).unwrap();
        assert_eq!(again.hash(), secret.hash());
        assert_ne!(secret.hash().as_str(), secret.expose());
        assert_ne!(BrowserSecret::from_bytes([8; 32]).hash(), secret.hash());
        assert_eq!(
            BrowserHash::read(secret.hash().as_str()),
            Some(secret.hash())
        );
    }

    #[test]
    fn what_was_never_given_out_is_read_as_none() {
        let long = "a".repeat(44);
        let spaced = format!("{} ", "a".repeat(42));
        for text in ["", "a", &long, &spaced, &"é".repeat(21), &"=".repeat(43)] {
            assert!(BrowserSecret::read(text).is_none(), "{text}");
            assert!(BrowserHash::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn it_is_not_printed() {
        let secret = BrowserSecret::from_bytes([7; 32]);
        assert!(!format!("{secret:?}").contains(secret.expose()));
    }
}
