//! What the contract allows, checked before anything is sent.

use cloakroom_core::store::{ErrorKind, StoreError, VALUE_MAX};

const NAME_MAX: usize = 255;
const REPLAY_MAX: usize = 64;

/// Whether a registry name may be one.
pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    match name.len() {
        1..=NAME_MAX => Ok(()),
        _ => denied("a registry name must have 1 to 255 bytes"),
    }
}

/// Whether a registry value may be one.
pub(crate) fn check_value(value: Option<&[u8]>) -> Result<(), StoreError> {
    match value {
        Some(value) if value.len() > VALUE_MAX => {
            denied("a registry value may have at most 256 KiB")
        }
        _ => Ok(()),
    }
}

/// Whether a replay key may be one.
pub(crate) fn check_replay(key: &[u8]) -> Result<(), StoreError> {
    if key.len() > REPLAY_MAX {
        return denied("a replay key may have at most 64 bytes");
    }
    Ok(())
}

fn denied(what: &'static str) -> Result<(), StoreError> {
    Err(StoreError::new(ErrorKind::Denied, what))
}
