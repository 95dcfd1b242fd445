//! What was copied so far: notes in the registry of the new store, so that a second run can tell a session that ended
//! there from one that never was there, and one that was used there from a copy that nobody touched.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};
use cloakroom_core::store::{DynRegistry, Expected, Kind};
use cloakroom_core::{SessionId, StoreError, Timestamp};
use tokio::task::JoinSet;

use super::{MigrateError, OURS};

/// Bits of a session id by which notes are put together into one entry: 4,096 entries of 8 thousand notes each are 33
/// million sessions.
const BITS: u32 = 12;
/// Bytes of a note: id, version, last sight.
const NOTE: usize = 32;
/// Entries of one page of the registry.
const PAGE: usize = 256;
/// Entries written at a time.
const AT_ONCE: usize = 64;

/// The copy as it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    /// The version that old and new store had then.
    pub(super) version: u64,
    /// The last sight that the new store had then; a later one means that it was used there.
    pub(super) seen: Timestamp,
}

impl Note {
    /// Of a session that was newer in the new store when it was found there: no copy of ours.
    pub(super) const NOT_OURS: Self = Self {
        version: 0,
        seen: Timestamp::EPOCH,
    };
}

/// All notes about one old store.
#[derive(Debug)]
pub(super) struct Journal {
    registry: DynRegistry,
    /// `migration/<old store>/`
    prefix: String,
    notes: BTreeMap<SessionId, Note>,
    /// Until when the notes are of use: the latest hard cap.
    expires: Timestamp,
    changed: BTreeSet<u16>,
}

impl Journal {
    pub(super) async fn read(
        registry: &DynRegistry,
        source: &str,
        now: Timestamp,
    ) -> Result<Self, MigrateError> {
        let mut journal = Self {
            registry: registry.clone(),
            prefix: format!("{OURS}{source}/"),
            notes: BTreeMap::new(),
            expires: now,
            changed: BTreeSet::new(),
        };
        let mut after = Box::<str>::from(&*journal.prefix);
        loop {
            let page = registry.list(Kind::Setting, Some(&after), PAGE, now).await;
            let page = page.map_err(MigrateError::To)?;
            let is_last = page.len() < PAGE;
            for entry in page {
                if !entry.name.starts_with(&journal.prefix) {
                    return Ok(journal);
                }
                journal.take(&entry.value)?;
                journal.expires = journal.expires.max(entry.expires.unwrap_or(now));
                after = entry.name;
            }
            if is_last {
                return Ok(journal);
            }
        }
    }

    fn take(&mut self, mut value: &[u8]) -> Result<(), MigrateError> {
        while let Some((note, rest)) = value.split_first_chunk::<NOTE>() {
            let part = |at: usize| note[at..at + 8].try_into().map_err(|_| MigrateError::Notes);
            let id = note[..16].try_into().map_err(|_| MigrateError::Notes)?;
            let version = u64::from_be_bytes(part(16)?);
            let seen = Timestamp::from_millis(i64::from_be_bytes(part(24)?));
            self.notes
                .insert(SessionId::from_bytes(id), Note { version, seen });
            value = rest;
        }
        value.is_empty().then_some(()).ok_or(MigrateError::Notes)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Note> {
        self.notes.get(&id).copied()
    }

    /// The sessions that were copied, from the one after `after` on.
    pub(super) fn after(&self, after: Option<SessionId>, limit: usize) -> Vec<(SessionId, Note)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let notes = self.notes.range((from, Unbounded));
        notes.map(|(id, note)| (*id, *note)).take(limit).collect()
    }

    /// Notes a copy, or with `None` that there is none; `until` is when the session is over whatever happens.
    pub(super) fn set(&mut self, id: SessionId, note: Option<Note>, until: Timestamp) {
        self.expires = self.expires.max(until);
        let before = match note {
            Some(note) => self.notes.insert(id, note),
            None => self.notes.remove(&id),
        };
        if before != note {
            self.changed.insert(bucket(id));
        }
    }

    /// Writes what was noted since.
    pub(super) async fn keep(&mut self, now: Timestamp) -> Result<(), MigrateError> {
        let mut writing = JoinSet::new();
        for bucket in std::mem::take(&mut self.changed) {
            if writing.len() >= AT_ONCE {
                written(writing.join_next().await)?;
            }
            let name = format!("{}{bucket:03x}", self.prefix);
            let (value, registry) = (self.encoded(bucket), self.registry.clone());
            let expires = Some(self.expires);
            writing.spawn(async move {
                let any = Expected::Anything;
                let put = registry.put(Kind::Setting, &name, any, Some(value), expires, now);
                put.await.map(drop)
            });
        }
        while let Some(done) = writing.join_next().await {
            written(Some(done))?;
        }
        Ok(())
    }

    fn encoded(&self, bucket: u16) -> Bytes {
        let mut value = BytesMut::new();
        let ids = self.notes.range(first_of(bucket)..);
        for (id, note) in ids.take_while(|(id, _)| self::bucket(**id) == bucket) {
            value.put_slice(id.as_bytes());
            value.put_u64(note.version);
            value.put_i64(note.seen.as_millis());
        }
        value.freeze()
    }
}

type Written = Result<Result<(), StoreError>, tokio::task::JoinError>;

fn written(done: Option<Written>) -> Result<(), MigrateError> {
    match done {
        Some(Ok(done)) => done.map_err(MigrateError::To),
        Some(Err(_)) => Err(MigrateError::CutOff),
        None => Ok(()),
    }
}

fn bucket(id: SessionId) -> u16 {
    let [first, second, ..] = *id.as_bytes();
    u16::from_be_bytes([first, second]) >> (16 - BITS)
}

fn first_of(bucket: u16) -> SessionId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&(bucket << (16 - BITS)).to_be_bytes());
    SessionId::from_bytes(id)
}
