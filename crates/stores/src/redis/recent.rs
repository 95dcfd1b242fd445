//! Rows that were read or written a moment ago: an update begins from them, and a load need not decode again.
//!
//! Nothing here is ever an answer: every load reads the server, and every write says which row it was computed from.

use std::collections::HashMap;
use std::sync::Arc;

use ::redis::Cmd;
use cloakroom_core::SessionId;
use parking_lot::Mutex;

use super::keys::Owner;
use super::row::Row;

/// Beside the row itself: the decoded record, the commands, and the map's place.
const OVERHEAD: usize = 1024;

/// How a session is read, if it is still its owner's: commands that are the same every time.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) owner: Owner,
    /// The row and the not-befores that lie in its slot, or on its server.
    pub(super) here: Cmd,
    /// The not-befores that lie elsewhere.
    pub(super) there: Option<(u16, Cmd)>,
}

/// A row, and how to read it again.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) row: Row,
    pub(super) plan: Arc<Plan>,
}

#[derive(Debug)]
pub(super) struct Recent {
    /// Two generations: the young one becomes the old one when it is half of what may be kept.
    shards: Box<[Mutex<Shard>]>,
    half: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<SessionId, Known>,
    old: HashMap<SessionId, Known>,
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

    pub(super) fn get(&self, id: SessionId) -> Option<Known> {
        let shard = self.shard(id).lock();
        shard.young.get(&id).or_else(|| shard.old.get(&id)).cloned()
    }

    pub(super) fn put(&self, known: Known) {
        let (id, size) = (known.row.record.id, size(&known));
        if size > self.half {
            return;
        }
        let mut shard = self.shard(id).lock();
        if shard.bytes + size > self.half {
            shard.old = std::mem::take(&mut shard.young);
            shard.bytes = 0;
        }
        let before = shard.young.insert(id, known);
        let freed = before.as_ref().map_or(0, self::size);
        shard.bytes = (shard.bytes + size).saturating_sub(freed);
    }

    pub(super) fn forget(&self, id: SessionId) {
        let mut shard = self.shard(id).lock();
        let freed = shard.young.remove(&id);
        let freed = freed.as_ref().map_or(0, size);
        shard.bytes = shard.bytes.saturating_sub(freed);
        shard.old.remove(&id);
    }
}

fn size(known: &Known) -> usize {
    known.row.bytes.len() * 2 + OVERHEAD
}
