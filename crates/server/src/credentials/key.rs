//! An API key: a public id to find it by, and a secret of which only the hash is kept.

use super::Scope;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::App;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every key begins with, so that scanners for leaked secrets can know it.
const PREFIX: &str = "cr_";
/// Characters of the public id: 12 random bytes.
const ID_LEN: usize = 16;
/// Characters of the secret: 32 random bytes.
const SECRET_LEN: usize = 43;
/// How long a key may be that was not drawn here: what `bootstrap.api_key` takes.
const FOREIGN: std::ops::RangeInclusive<usize> = 32..=256;

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its public id.
    pub id: String,
    /// Base64url of the SHA-256 of its secret.
    hash: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The only application whose sessions it creates and sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at: i64,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

/// A key just made, with the text that is shown once.
pub struct NewKey {
    /// What to keep.
    pub key: ApiKey,
    /// What to show.
    pub text: Zeroizing<String>,
}

impl ApiKey {
    /// Draws a key.
    #[must_use]
    pub fn draw(scopes: Vec<Scope>, app: Option<App>, created_at: i64) -> NewKey {
        let (mut id, mut secret) = ([0; 12], Zeroizing::new([0; 32]));
        rand::rng().fill_bytes(&mut id);
        rand::rng().fill_bytes(secret.as_mut_slice());
        let id = URL_SAFE_NO_PAD.encode(id);
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
        let text = Zeroizing::new(format!("{PREFIX}{id}{}", *secret));
        let key = Self {
            id,
            hash: hash(&secret),
            scopes,
            app,
            created_at,
        };
        NewKey { key, text }
    }

    /// A key whose text somebody else drew; `None` where it cannot be one.
    #[must_use]
    pub fn of_text(text: &str, scopes: Vec<Scope>, created_at: i64) -> Option<Self> {
        let (id, secret) = split(text)?;
        Some(Self {
            id: id.into_owned(),
            hash: hash(secret),
            scopes,
            app: None,
            created_at,
        })
    }

    /// Whether `text` is this key; takes the same time for every wrong secret.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        split(text).is_some_and(|(id, secret)| {
            id == self.id && hash(secret).as_bytes().ct_eq(self.hash.as_bytes()).into()
        })
    }
}

fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// The public id and the secret of a presented key, where it can be one.
///
/// A text that was not drawn here (`bootstrap.api_key`) is its own secret; it is found by a part of a hash of it, so that
/// no key is ever searched for among all.
pub(super) fn split(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let drawn = text
        .strip_prefix(PREFIX)
        .filter(|rest| rest.len() == ID_LEN + SECRET_LEN && rest.bytes().all(is_base64url));
    if let Some((id, secret)) = drawn.map(|rest| rest.split_at(ID_LEN)) {
        return Some((id.into(), secret));
    }
    if !FOREIGN.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut digest = Sha256::new();
    digest.update(b"cloakroom api key id v1");
    digest.update(text.as_bytes());
    let digest = digest.finalize();
    let id = URL_SAFE_NO_PAD.encode(digest.get(..12)?);
    Some((id.into(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_matches_its_text_alone_and_does_not_keep_it() {
        let made = ApiKey::draw(vec![Scope::Admin], None, 0);
        assert!(made.key.matches(&made.text));
        let other = ApiKey::draw(vec![Scope::Admin], None, 0);
        assert!(!made.key.matches(&other.text));
        let kept = serde_json::to_string(&made.key).unwrap();
        let secret = split(&made.text).unwrap().1;
        assert!(!kept.contains(secret) && !format!("{:?}", made.key).contains(secret));
    }

    #[test]
    fn what_is_not_shaped_like_a_key_is_none() {
        let spaced = format!("{} {}", "x".repeat(20), "x".repeat(20));
        for text in [
            "",
            "cr_",
            "cr_short",
            &"x".repeat(257),
            &"ä".repeat(30),
            &spaced,
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_drawn_elsewhere_is_a_key_too() {
        let text = "correct-horse-battery-staple-and-so-on";
        let key = ApiKey::of_text(text, vec![Scope::Admin], 0).unwrap();
        assert!(key.matches(text) && !key.matches(&text.replace("staple", "stable")));
        assert!(!serde_json::to_string(&key).unwrap().contains(text));
        // Its public id, shown in lists, is not the key.
        assert_eq!(key.id.len(), ID_LEN);
    }
}
