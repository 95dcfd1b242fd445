//! Values sealed against damage: a checksum of key and value together.
//!
//! A value under a foreign key is damage too. It protects against bytes that rot, not against people who write.

use cloakroom_core::store::{ErrorKind, StoreError};

/// The checksum of what stands under `key`.
pub(crate) fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize()
}

pub(crate) fn damaged(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, what)
}
