//! The writer's part of the registry and of the replay guard.

use bytes::Bytes;
use cloakroom_core::Timestamp;
use cloakroom_core::store::{ErrorKind, Expected, Kind, Put, StoreError, VALUE_MAX};
use redb::ReadableTable as _;

use super::batch::Batch;
use super::error::Fault;
use super::tables::{Queue, entry_key, seal, take_time, time_bytes, unseal};
use super::view::{View, decode_entry};

const NAME_MAX: usize = 255;
const REPLAY_MAX: usize = 64;

/// One write to the registry.
pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) name: Box<str>,
    pub(super) expected: Expected,
    pub(super) value: Option<Bytes>,
    pub(super) expires: Option<Timestamp>,
}

/// Whether a registry name may be one.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(StoreError::new(
            ErrorKind::Denied,
            "a registry name must have 1 to 255 bytes",
        ));
    }
    Ok(())
}

impl Write {
    /// Whether it is within what the contract allows.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_name(&self.name)?;
        if self
            .value
            .as_ref()
            .is_some_and(|value| value.len() > VALUE_MAX)
        {
            return Err(StoreError::new(
                ErrorKind::Denied,
                "a registry value may have at most 256 KiB",
            ));
        }
        Ok(())
    }
}

pub(super) fn put(batch: &mut Batch<'_>, write: &Write, now: Timestamp) -> Result<Put, Fault> {
    let key = entry_key(write.kind, &write.name);
    let stored = match batch.tables.registry().get(&key[..])? {
        Some(row) => Some(decode_entry(write.kind, &key, row.value())?),
        None => None,
    };
    let there = stored
        .as_ref()
        .filter(|entry| entry.expires.is_none_or(|expires| now < expires));
    let holds = match write.expected {
        Expected::Absent => there.is_none(),
        Expected::Version(version) => there.is_some_and(|entry| entry.version == version),
        Expected::Anything => true,
    };
    if !holds {
        return Ok(Put::Conflict(there.cloned()));
    }
    if let Some(expires) = stored.as_ref().and_then(|entry| entry.expires) {
        batch.dequeue(Queue::Entries, expires, &key)?;
    }
    // One sequence for all names: a version never comes again, also after removal.
    let version = batch.counters.sequence + 1;
    batch.counters.sequence = version;
    batch.set_counter("sequence", version)?;
    match &write.value {
        Some(value) => {
            let expires = write.expires.unwrap_or(Timestamp::NEVER);
            let row = seal(&key, &[&version.to_be_bytes(), &time_bytes(expires), value]);
            batch.tables.registry.insert(&key[..], &row[..])?;
            if expires != Timestamp::NEVER {
                batch.enqueue(Queue::Entries, expires, &key)?;
            }
        }
        None => drop(batch.tables.registry.remove(&key[..])?),
    }
    batch.counters.revisions[write.kind as usize] = version;
    batch.set_counter(write.kind.as_str(), version)?;
    Ok(Put::Done(version))
}

/// Whether a replay key may be one.
pub(super) fn check_replay(key: &[u8]) -> Result<(), StoreError> {
    if key.len() > REPLAY_MAX {
        return Err(StoreError::new(
            ErrorKind::Denied,
            "a replay key may have at most 64 bytes",
        ));
    }
    Ok(())
}

pub(super) fn first_seen(
    batch: &mut Batch<'_>,
    key: &[u8],
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, Fault> {
    const WHAT: &str = "reading a replay key";
    let seen = match batch.tables.replay().get(key)? {
        Some(row) => Some(take_time(&mut unseal(key, row.value(), WHAT)?, WHAT)?),
        None => None,
    };
    if seen.is_some_and(|seen| now < seen) {
        return Ok(false);
    }
    if let Some(seen) = seen {
        batch.dequeue(Queue::Replays, seen, key)?;
    }
    let row = seal(key, &[&time_bytes(until)]);
    batch.tables.replay.insert(key, &row[..])?;
    batch.enqueue(Queue::Replays, until, key)?;
    Ok(true)
}
