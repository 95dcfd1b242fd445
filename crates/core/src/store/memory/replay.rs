//! Keys seen, as slots of a shard of their own: found by a hash, cleared by the wheel, charged like sessions.

use sha2::{Digest as _, Sha256};

use super::account::Short;
use super::packed::mark;
use super::slot::Content;
use super::state::{State, over};
use crate::store::{ErrorKind, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Bytes that a key may have at most.
const KEY_MAX: usize = 64;
/// Keys that one call clears besides its own work.
const CLEARED: usize = 16;

/// What stands for a key: 128 bits of its SHA-256. Two keys that met there would make a first sight a replay, never a
/// replay a first sight.
fn place(key: &[u8]) -> SessionId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(key)[..16]);
    SessionId::from_bytes(bytes)
}

impl State {
    pub(super) fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if key.len() > KEY_MAX {
            return Err(StoreError::new(
                ErrorKind::Denied,
                "a replay key has more than 64 bytes",
            ));
        }
        self.forget_replays(now, CLEARED);
        let id = place(key);
        loop {
            match self.try_first_seen(id, until, now) {
                Ok(first) => return Ok(first),
                // A key that was forgotten for want of room would be a replay let through, so it is refused instead.
                Err(short) => self.make_room(short, None, now)?,
            }
        }
    }

    fn try_first_seen(
        &self,
        id: SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Short> {
        let mut seen = self.replay.lock();
        if let Some(at) = seen.find(id) {
            if !over(&seen.slot(at), now) {
                return Ok(false);
            }
            seen.remove(&self.account, at);
        }
        if until <= now {
            return Ok(true);
        }
        let content = Content {
            id,
            // Nothing evicts it.
            anonymous: false,
            stamp: 0,
            packed: &mark(until),
        };
        let needs = seen.needs(id, content.shape());
        let Some(room) = self.account.room(needs) else {
            return Err(Short {
                needs,
                ..Short::default()
            });
        };
        seen.insert(&self.account, room, &content);
        Ok(true)
    }

    /// Gives back what keys past their time took, at most `limit` of them.
    pub(super) fn forget_replays(&self, now: Timestamp, limit: usize) {
        let mut seen = self.replay.lock();
        let mut steps = limit.saturating_mul(2);
        for _ in 0..limit {
            let Some(at) = seen.due(now, &mut steps) else {
                return;
            };
            seen.remove(&self.account, at);
        }
    }
}
