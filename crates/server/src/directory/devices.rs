//! Devices that a person has logged in from: guesses from elsewhere never make them wait.
//!
//! The device holds a random secret in a cookie of its own; the entry of the person holds its hash. It proves nothing but
//! that a login from this device succeeded before, and opens nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, time::Duration};

/// Devices that are remembered of a person, the latest.
const DEVICES_MAX: usize = 16;

/// How long a device is remembered after its last login.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(180 * 24 * 3600);

/// A login from a device is noted again only after this long, so that not every login writes the entry.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The secret that a device holds: 16 random bytes, base64url.
#[derive(Clone)]
pub struct DeviceSecret(String);

impl DeviceSecret {
    pub(super) fn make() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()))
    }

    /// What a cookie says; `None` where it cannot be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (text.len() == 22 && text.bytes().all(fine)).then(|| Self(text.to_owned()))
    }

    /// The text for the cookie, and for nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSecret(..)")
    }
}

/// A device as the person's entry keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KnownDevice {
    /// SHA-256 of its secret, base64url.
    hash: String,
    /// Its last login that was noted.
    seen: i64,
}

/// The hash of the presented secret, where the person has logged in with it.
pub(super) fn find(
    known: &[KnownDevice],
    secret: Option<&DeviceSecret>,
    now: Timestamp,
) -> Option<[u8; 32]> {
    let hash = secret?.hash();
    let text = URL_SAFE_NO_PAD.encode(hash);
    // Hashes are compared: how long that takes tells nothing about the secret.
    let found = known.iter().find(|device| device.hash == text)?;
    (now.since(Timestamp::from_millis(found.seen)) < REMEMBERED_FOR).then_some(hash)
}

/// Notes a login. `None` where the entry need not be written.
pub(super) fn note(
    known: &[KnownDevice],
    secret: &DeviceSecret,
    now: Timestamp,
) -> Option<Vec<KnownDevice>> {
    let text = URL_SAFE_NO_PAD.encode(secret.hash());
    let since = |device: &KnownDevice| now.since(Timestamp::from_millis(device.seen));
    if known
        .iter()
        .any(|device| device.hash == text && since(device) < NOTED_EVERY)
    {
        return None;
    }
    let others = known
        .iter()
        .filter(|device| device.hash != text && since(device) < REMEMBERED_FOR);
    let mut kept: Vec<KnownDevice> = others.cloned().collect();
    kept.push(KnownDevice {
        hash: text,
        seen: now.as_millis(),
    });
    kept.sort_by_key(|device| std::cmp::Reverse(device.seen));
    kept.truncate(DEVICES_MAX);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_its_secret_for_a_time_and_the_latest_are_kept() {
        let now = Timestamp::from_secs(1_000_000);
        let secret = DeviceSecret::make();
        let secret = DeviceSecret::read(secret.expose()).unwrap();
        let mut known = note(&[], &secret, now).unwrap();
        assert!(find(&known, Some(&secret), now).is_some());
        assert!(find(&known, Some(&DeviceSecret::make()), now).is_none());
        assert!(find(&known, Some(&secret), now.plus(REMEMBERED_FOR)).is_none());
        assert!(note(&known, &secret, now).is_none(), "it is noted already");
        for second in 1..=20 {
            let later = now.plus(Duration::from_secs(second));
            known = note(&known, &DeviceSecret::make(), later).unwrap();
        }
        assert_eq!(known.len(), DEVICES_MAX);
        assert!(find(&known, Some(&secret), now).is_none());
        assert!(!format!("{known:?}").contains(secret.expose()));
    }

    #[test]
    fn other_text_is_no_secret() {
        for text in ["", "x", "aaaaaaaaaaaaaaaaaaaaaa=", "aaaaaaaaaaaaaaaaaaaaa;"] {
            assert!(DeviceSecret::read(text).is_none(), "{text}");
        }
    }
}
