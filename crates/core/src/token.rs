//! The split token: a public session id beside a secret that only the client holds.
//!
//! A session token is `base64url(id ‖ secret)`, 16 + 16 random bytes, 43 characters. The store is keyed by the id
//! and keeps only the SHA-256 of the secret, so a stolen store opens nothing (OW-4), the id may stand in logs, and
//! a renewal is an ordinary update of one record.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Characters of a session token as the client holds it.
pub const TOKEN_LEN: usize = 43;
/// Characters of a session id as it is written.
pub const ID_LEN: usize = 22;

/// A string that is not a session token, or not a session id: wrong length, alphabet or spelling.
///
/// It carries nothing of what was presented, so it may be logged (OW-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not shaped like a session {0}")]
pub struct Malformed(&'static str);

/// The public handle of a session. It opens nothing and may be logged, shown and sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// From 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes by which stores key the record.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; ID_LEN];
        write_base64(&self.0, &mut text, f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        decode_exact::<16>(text, ID_LEN)
            .map(Self)
            .ok_or(Malformed("id"))
    }
}

impl serde::Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The half of a token that proves possession. It is wiped from memory when dropped and never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 16]);

impl Secret {
    /// From 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// What the store keeps of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0).into())
    }

    /// The secret of a renewal: HMAC-SHA-256(key, id ‖ number ‖ nonce), its first 16 bytes.
    ///
    /// Derived, not drawn, so that however often the old token asks, and on whichever node, the answer is the same:
    /// tabs and late responses cannot orphan each other (DESIGN 1.1).
    pub fn derive(key: &RenewalKey, id: SessionId, number: u64, nonce: &[u8; 16]) -> Self {
        let mut mac = key.mac();
        mac.update(b"cloakroom renewal v1");
        mac.update(id.as_bytes());
        mac.update(&number.to_be_bytes());
        mac.update(nonce);
        let full = mac.finalize().into_bytes();
        let mut secret = [0_u8; 16];
        secret.copy_from_slice(&full[..16]);
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The key from which renewal secrets are derived; it never stands in a store unwrapped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RenewalKey([u8; 32]);

impl RenewalKey {
    /// From 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC takes keys of every length (RFC 2104), so a 32-byte key cannot be refused.
        #[expect(clippy::expect_used, reason = "HMAC accepts every key length")]
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC accepts every key length")
    }
}

impl fmt::Debug for RenewalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewalKey(..)")
    }
}

/// SHA-256 of a [`Secret`]: all that a store ever sees of it. Equality takes constant time.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// From the 32 bytes a store kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to keep.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// What the client holds: session id and secret together. Never logged, never stored.
#[derive(Clone)]
pub struct SessionToken {
    id: SessionId,
    secret: Secret,
}

impl SessionToken {
    /// Joins the two halves.
    pub const fn new(id: SessionId, secret: Secret) -> Self {
        Self { id, secret }
    }

    /// The public half.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The secret half.
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The text to hand to the client, and to nobody else. There is no `Display`, so that no log line shows it by
    /// accident.
    pub fn expose(&self) -> String {
        let mut bytes = [0_u8; 32];
        bytes[..16].copy_from_slice(&self.id.0);
        bytes[16..].copy_from_slice(&self.secret.0);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        bytes.zeroize();
        text
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionToken({}, ..)", self.id)
    }
}

impl FromStr for SessionToken {
    type Err = Malformed;

    /// Accepts exactly the 43 characters that [`SessionToken::expose`] writes: canonical base64url, no padding.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut bytes = decode_exact::<32>(text, TOKEN_LEN).ok_or(Malformed("token"))?;
        let mut id = [0_u8; 16];
        let mut secret = [0_u8; 16];
        id.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        bytes.zeroize();
        Ok(Self {
            id: SessionId(id),
            secret: Secret(secret),
        })
    }
}

fn decode_exact<const N: usize>(text: &str, len: usize) -> Option<[u8; N]> {
    if text.len() != len {
        return None;
    }
    let mut bytes = [0_u8; N];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (written == N).then_some(bytes)
}

fn write_base64(bytes: &[u8], buffer: &mut [u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let written = URL_SAFE_NO_PAD
        .encode_slice(bytes, buffer)
        .map_err(|_| fmt::Error)?;
    f.write_str(std::str::from_utf8(&buffer[..written]).map_err(|_| fmt::Error)?)
}
