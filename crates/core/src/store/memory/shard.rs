//! A shard of sessions: slots, found by id, ordered by use and by deadline.

use std::hash::BuildHasher as _;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;
use parking_lot::{Mutex, MutexGuard};

use super::account::{Account, block};
use super::queue::Queue;
use super::slab::{Links, Slab, Slot};
use super::table::Table;
use super::wheel::Wheel;
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is under one lock.
pub(super) struct Shard {
    slab: Slab,
    by_id: Table<u32>,
    queue: Queue,
    wheel: Wheel,
    hasher: RandomState,
}

impl Shard {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            slab: Slab::default(),
            by_id: Table::new(),
            queue: Queue::new(),
            wheel: Wheel::new(),
            hasher,
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.queue.check(&self.slab);
        self.wheel.check(&self.slab);
        assert_eq!(self.by_id.len(), self.slab.len());
        for slot in self.slab.iter() {
            let at = self.find(slot.id).expect("every slot is found by its id");
            assert_eq!(self.slab.get(at).id, slot.id);
        }
    }

    /// What its containers take, packed records apart.
    pub(super) fn size(&self) -> usize {
        self.slab.size() + self.by_id.size()
    }

    /// What must be there for one more slot, its packed record apart.
    pub(super) fn needs(&self) -> usize {
        self.slab.needs() + self.by_id.needs()
    }

    pub(super) fn find(&self, id: SessionId) -> Option<u32> {
        let is = |at: &u32| self.slab.get(*at).id == id;
        self.by_id.find(self.hasher.hash_one(id), is).copied()
    }

    pub(super) fn slot(&self, at: u32) -> &Slot {
        self.slab.get(at)
    }

    pub(super) fn slot_mut(&mut self, at: u32) -> &mut Slot {
        self.slab.get_mut(at)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slab.iter()
    }

    /// Adds a slot. `charged` was taken for it and covers its record and [`Shard::needs`]; what is over goes back.
    pub(super) fn insert(&mut self, account: &Account, charged: usize, slot: Slot) {
        let before = self.size();
        let hash = self.hasher.hash_one(slot.id);
        let cost = block(slot.bytes.len());
        let anonymous = slot.owner == 0;
        let at = self.slab.push(slot);
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.by_id
            .insert(hash, at, |at| hasher.hash_one(slab.get(*at).id));
        self.wheel.insert(&mut self.slab, at);
        if anonymous {
            self.queue.push(&mut self.slab, at);
        }
        let taken = self.size() - before + cost;
        debug_assert!(taken <= charged, "{taken} bytes taken, {charged} charged");
        account.refund(charged - taken);
    }

    /// Takes a slot out and gives back what it took.
    pub(super) fn remove(&mut self, account: &Account, at: u32) -> Option<Slot> {
        let before = self.size();
        let id = self.slab.get(at).id;
        self.by_id
            .remove(self.hasher.hash_one(id), |found| *found == at)?;
        self.wheel.unlink(&mut self.slab, at);
        if self.slab.get(at).owner == 0 {
            self.queue.unlink(&mut self.slab, at);
        }
        let last = self.slab.len() as u32 - 1;
        let removed = self.slab.swap_remove(at)?;
        if at != last {
            let hash = self.hasher.hash_one(self.slab.get(at).id);
            if let Some(found) = self.by_id.find_mut(hash, |found| *found == last) {
                *found = at;
            }
            self.wheel.moved(&mut self.slab, at);
            if self.slab.get(at).owner == 0 {
                self.queue.moved(&mut self.slab, at);
            }
        }
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.by_id
            .shrink(account, |at| hasher.hash_one(slab.get(*at).id));
        account.refund(before - self.size() + block(removed.bytes.len()));
        Some(removed)
    }

    /// Puts another record in place, whose additional bytes were charged; gives back what a smaller one leaves over.
    pub(super) fn replace(&mut self, account: &Account, at: u32, bytes: Box<[u8]>, owner: u32) {
        self.wheel.unlink(&mut self.slab, at);
        if self.slab.get(at).owner == 0 {
            self.queue.unlink(&mut self.slab, at);
        }
        let slot = self.slab.get_mut(at);
        let (old, new) = (block(slot.bytes.len()), block(bytes.len()));
        slot.bytes = bytes;
        slot.owner = owner;
        slot.queue = Links::FREE;
        self.wheel.insert(&mut self.slab, at);
        if owner == 0 {
            self.queue.push(&mut self.slab, at);
        }
        account.refund(old.saturating_sub(new));
    }

    /// An anonymous session was used: it goes last of all.
    pub(super) fn used(&mut self, at: u32, stamp: u32) {
        let slot = self.slab.get_mut(at);
        if slot.owner == 0 {
            slot.stamp = stamp;
            self.queue.unlink(&mut self.slab, at);
            self.queue.push(&mut self.slab, at);
        }
    }

    /// The anonymous session that was used least recently.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.queue.first()
    }

    /// A slot whose deadline is at or before `now`; see [`Wheel::due`].
    pub(super) fn due(&mut self, now: Timestamp, steps: &mut usize) -> Option<u32> {
        self.wheel.due(&mut self.slab, now.as_millis(), steps)
    }

    pub(super) fn earliest(&self) -> i64 {
        self.wheel.earliest()
    }
}

/// A shard behind its lock, with what others may know without it: hints that send an eviction to the right shard.
pub(super) struct Cell {
    shard: Mutex<Shard>,
    /// Stamp of the least recently used anonymous session; [`u64::MAX`] where there is none.
    oldest: AtomicU64,
    /// When the next deadline may be.
    earliest: AtomicI64,
}

impl Cell {
    pub(super) fn new(shard: Shard) -> Self {
        Self {
            shard: Mutex::new(shard),
            oldest: AtomicU64::new(u64::MAX),
            earliest: AtomicI64::new(i64::MAX),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked {
            shard: self.shard.lock(),
            cell: self,
        }
    }

    pub(super) fn oldest_stamp(&self) -> Option<u32> {
        u32::try_from(self.oldest.load(Relaxed)).ok()
    }

    pub(super) fn may_be_due(&self, now: Timestamp) -> bool {
        self.earliest.load(Relaxed) <= now.as_millis()
    }
}

/// A locked shard; renews the hints when it goes.
pub(super) struct Locked<'a> {
    shard: MutexGuard<'a, Shard>,
    cell: &'a Cell,
}

impl Deref for Locked<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let oldest = self.shard.oldest().map(|at| self.shard.slot(at).stamp);
        self.cell
            .oldest
            .store(oldest.map_or(u64::MAX, u64::from), Relaxed);
        self.cell.earliest.store(self.shard.earliest(), Relaxed);
    }
}
