//! The hot map: decoded records in front of the file, bounded in bytes, and the touches that are not yet written.
//!
//! It never shows what is not committed, and a slow reader never puts an old record over a newer one: a reader leaves a
//! placeholder before it looks into the file and fills it only if it is still there; the writer replaces whatever stands
//! at an id before its commit, so every placeholder of before is gone.

mod shard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use cloakroom_core::record::Epoch;
use cloakroom_core::{Activity, Record, SessionId, Timestamp};
use parking_lot::Mutex;

use self::shard::{Shard, Slot, State};
use super::tables::Touch;

const SHARDS: usize = 64;

/// A record as readers see it: with its latest touch, and its not-before as of an epoch.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) record: Arc<Record>,
    pub(super) not_before: Epoch,
    /// The not-before is right while the revocation clock shows this.
    pub(super) stamp: Epoch,
    /// Bytes of its row.
    pub(super) bytes: usize,
}

/// What a look into the map found.
pub(super) enum Look {
    /// The record.
    Hit(Seen),
    /// Nothing; the reader may fill the placeholder, if it got one, and folds in the touch.
    Miss {
        token: Option<u64>,
        touch: Option<Touch>,
    },
}

/// What came of a touch.
pub(super) enum Noted {
    Done,
    Gone,
    /// The record is not in the map, or its not-before is not known for now.
    Unknown,
}

/// See the module.
pub(super) struct Hot {
    shards: Box<[Mutex<Shard>]>,
    tokens: AtomicU64,
    pending: AtomicUsize,
}

impl Hot {
    pub(super) fn new(bytes: usize) -> Self {
        let shard = || Mutex::new(Shard::new(bytes / SHARDS));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            tokens: AtomicU64::new(1),
            pending: AtomicUsize::new(0),
        }
    }

    fn shard(&self, id: SessionId) -> &Mutex<Shard> {
        // Ids are random; any byte spreads them evenly.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// Looks for `id`, and leaves a placeholder where there is nothing.
    pub(super) fn look(&self, id: SessionId) -> Look {
        let mut shard = self.shard(id).lock();
        if let Some(seen) = shard.hit(id) {
            return Look::Hit(seen);
        }
        let touch = shard.touches.get(&id).copied();
        let token = shard.placeholder(id, || self.tokens.fetch_add(1, Ordering::Relaxed));
        Look::Miss { token, touch }
    }

    /// The record, if it is here, and else its unwritten touch; leaves no trace.
    pub(super) fn peek(&self, id: SessionId) -> Result<Seen, Option<Touch>> {
        let shard = self.shard(id).lock();
        match shard.slots.get(&id) {
            Some(Slot {
                state: State::Ready(seen),
                ..
            }) => Ok(seen.clone()),
            _ => Err(shard.touches.get(&id).copied()),
        }
    }

    /// Gives a reader's placeholder up, with what he found.
    pub(super) fn fill(&self, id: SessionId, token: u64, found: Option<&Seen>) {
        self.shard(id).lock().fill(id, token, found);
    }

    /// Renews the not-before of a record that is still the one that was looked at.
    pub(super) fn restamp(&self, id: SessionId, seen: &Seen) {
        let mut shard = self.shard(id).lock();
        if let Some(Slot {
            state: State::Ready(there),
            ..
        }) = shard.slots.get_mut(&id)
            && there.record.version == seen.record.version
            && there.stamp < seen.stamp
        {
            there.not_before = seen.not_before;
            there.stamp = seen.stamp;
        }
    }

    /// Notes a use, if the record is here and live.
    pub(super) fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
        epoch: Epoch,
    ) -> Noted {
        let mut shard = self.shard(id).lock();
        let Some(slot) = shard.slots.get_mut(&id) else {
            return Noted::Unknown;
        };
        let seen = match &mut slot.state {
            State::Ready(seen) if seen.stamp == epoch => seen,
            State::Ending => return Noted::Gone,
            _ => return Noted::Unknown,
        };
        let dead = seen.record.deadline() <= now || seen.record.security.admitted < seen.not_before;
        if dead {
            return Noted::Gone;
        }
        let later = seen.record.activity.later(activity);
        if later != seen.record.activity {
            let touch = Touch {
                security: seen.record.security.version,
                activity: later,
            };
            Arc::make_mut(&mut seen.record).activity = later;
            self.count(shard.touches.insert(id, touch).is_none());
        }
        Noted::Done
    }

    /// Notes a use that the writer has judged.
    pub(super) fn note(&self, id: SessionId, touch: Touch) {
        let mut shard = self.shard(id).lock();
        let touch = match shard.touches.get(&id) {
            Some(there) if there.security == touch.security => Touch {
                activity: there.activity.later(touch.activity),
                ..touch
            },
            _ => touch,
        };
        self.count(shard.touches.insert(id, touch).is_none());
        shard.fold(id, touch);
    }

    fn count(&self, new: bool) {
        if new {
            self.pending.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many touches wait to be written.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// The unwritten touch of `id`.
    pub(super) fn touch_of(&self, id: SessionId) -> Option<Touch> {
        self.shard(id).lock().touches.get(&id).copied()
    }

    /// At most `limit` unwritten touches; they stay until they are [`written`](Self::written).
    pub(super) fn some_touches(&self, limit: usize) -> Vec<(SessionId, Touch)> {
        let mut found = Vec::with_capacity(limit.min(self.pending()));
        for shard in &self.shards {
            let shard = shard.lock();
            let room = limit - found.len();
            found.extend(
                shard
                    .touches
                    .iter()
                    .take(room)
                    .map(|(id, touch)| (*id, *touch)),
            );
        }
        found
    }

    /// Forgets a touch that is in the file now, unless a later one came.
    pub(super) fn written(&self, id: SessionId, touch: Touch) {
        let mut shard = self.shard(id).lock();
        if shard.touches.get(&id) == Some(&touch) {
            shard.touches.remove(&id);
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The writer changes `id` in the transaction under way: readers look into the file until it is kept.
    pub(super) fn writing(&self, id: SessionId) {
        self.shard(id).lock().mark(id, State::Writing);
    }

    /// The writer ends `id` in the transaction under way; from now on no touch is taken. Answers one that came before.
    pub(super) fn ending(&self, id: SessionId) -> Option<Touch> {
        let mut shard = self.shard(id).lock();
        shard.mark(id, State::Ending);
        shard.touches.get(&id).copied()
    }

    /// The transaction did not come about, or the record at `id` is better read anew.
    pub(super) fn vacate(&self, id: SessionId) {
        self.shard(id).lock().vacate(id);
    }

    /// The transaction is kept: shows `id` as it is now.
    pub(super) fn publish(&self, id: SessionId, now: Option<Seen>) {
        let mut shard = self.shard(id).lock();
        match now {
            Some(seen) => shard.ready(id, seen),
            None => {
                shard.vacate(id);
                if shard.touches.remove(&id).is_some() {
                    self.pending.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Forgets every record; touches stay.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            shard.lock().clear();
        }
    }
}
