//! Rows that were read or written a moment ago: an update begins from them, and a load need not decode again.
//!
//! Nothing here is ever an answer: every load reads the server, and every write says which row it was computed from.

use std::collections::HashMap;

use cloakroom_core::SessionId;
use parking_lot::Mutex;

use super::row::Row;

/// Beside the row itself: the decoded record and the map's place.
const OVERHEAD: usize = 512;

#[derive(Debug)]
pub(super) struct Recent {
    /// Two generations: the young one becomes the old one when it is half of what may be kept.
    shards: Box<[Mutex<Shard>]>,
    half: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<SessionId, Row>,
    old: HashMap<SessionId, Row>,
    bytes: usize,
}

const SHARDS: usize = 16;

impl Recent {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            half: bytes / SHARDS / 2,
        }
    }

    fn shard(&self, id: SessionId) -> &Mutex<Shard> {
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Row> {
        let shard = self.shard(id).lock();
        shard.young.get(&id).or_else(|| shard.old.get(&id)).cloned()
    }

    pub(super) fn put(&self, row: &Row) {
        let size = row.bytes.len() * 2 + OVERHEAD;
        if size > self.half {
            return;
        }
        let mut shard = self.shard(row.record.id).lock();
        if shard.bytes + size > self.half {
            shard.old = std::mem::take(&mut shard.young);
            shard.bytes = 0;
        }
        let before = shard.young.insert(row.record.id, row.clone());
        let freed = before.map_or(0, |row| row.bytes.len() * 2 + OVERHEAD);
        shard.bytes = (shard.bytes + size).saturating_sub(freed);
    }

    pub(super) fn forget(&self, id: SessionId) {
        let mut shard = self.shard(id).lock();
        let freed = shard.young.remove(&id);
        let freed = freed.map_or(0, |row| row.bytes.len() * 2 + OVERHEAD);
        shard.bytes = shard.bytes.saturating_sub(freed);
        shard.old.remove(&id);
    }
}
