//! The key-encryption key: wraps what stands in a store, and is never there itself.

use super::{Bytes32, derived};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

/// Bytes of a nonce, so many that random ones never meet.
const NONCE: usize = 24;

/// A key-encryption key, ready for use.
pub(super) struct Wrapping {
    cipher: XChaCha20Poly1305,
    name: String,
}

impl Wrapping {
    /// From 32 secret bytes; the keys for its purposes are derived from them.
    pub(super) fn of(secret: &Bytes32) -> Self {
        let key = derived(&**secret, b"cloakroom key-encryption key v1");
        let name = derived(&**secret, b"cloakroom key-encryption key name v1");
        Self {
            cipher: XChaCha20Poly1305::new((&*key).into()),
            name: name[..4].iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// By what people tell it from others. It says nothing about the key.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `bytes` wrapped for `purpose`: a nonce, and what only this key opens, for this purpose.
    pub(super) fn wrap(&self, purpose: &[u8], bytes: &Bytes32) -> Option<Vec<u8>> {
        use rand::Rng;
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: &**bytes,
            aad: purpose,
        };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// What was wrapped; `None` where another key did it, or for another purpose, or where it is damaged.
    pub(super) fn open(&self, purpose: &[u8], wrapped: &[u8]) -> Option<Bytes32> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>()?;
        let payload = Payload {
            msg: sealed,
            aad: purpose,
        };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
        let opened = Zeroizing::new(opened);
        <[u8; 32]>::try_from(&opened[..]).ok().map(Zeroizing::new)
    }
}
