//! A shard of sessions: slots, found by id, ordered by use and by deadline.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, MutexGuard};

use super::account::{Account, Needs, Room};
use super::arena::{Arena, Moved, PIECE, Shape, class};
use super::ids::Ids;
use super::ordered::Ordered;
use super::queue::Queue;
use super::slot::{Content, Slot};
use super::wheel::Wheel;
use crate::record::Activity;
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is under one lock.
pub(super) struct Shard {
    arena: Arena,
    by_id: Ordered,
    queue: Queue,
    wheel: Wheel,
    ids: Ids,
}

impl Shard {
    pub(super) fn new(ids: Ids, page: usize, segments: usize) -> Self {
        Self {
            arena: Arena::new(page),
            by_id: Ordered::new(segments),
            queue: Queue::new(),
            wheel: Wheel::new(),
            ids,
        }
    }

    fn hash(&self, id: SessionId) -> u32 {
        self.ids.in_shard(self.ids.place(id))
    }

    /// What must be there for one more session.
    pub(super) fn needs(&self, id: SessionId, shape: Shape) -> Needs {
        let table = Needs::of_bytes(self.by_id.needs(self.hash(id)));
        self.arena.needs(shape).and(table)
    }

    pub(super) fn find(&self, id: SessionId) -> Option<u32> {
        self.at(self.ids.place(id))
            .find(|at| self.arena.slot(*at).id() == id)
    }

    /// The sessions at a place: one, save by chance.
    pub(super) fn at(&self, place: u32) -> impl Iterator<Item = u32> {
        self.by_id.values(self.ids.in_shard(place))
    }

    pub(super) fn slot(&self, at: u32) -> Slot<'_> {
        self.arena.slot(at)
    }

    /// Looks at `most` sessions from a place in this shard on, and a few more; answers from where on to go on.
    pub(super) fn scan(
        &self,
        from: u32,
        most: usize,
        mut look: impl FnMut(Slot<'_>),
    ) -> Option<u32> {
        let mut last = from;
        for (number, (hash, at)) in self.by_id.from(from).enumerate() {
            if number >= most && hash != last {
                return Some(hash);
            }
            last = hash;
            look(self.arena.slot(at));
        }
        None
    }

    /// Adds a session. `room` was taken for it and covers [`Shard::needs`]; what is over goes back.
    pub(super) fn insert(&mut self, account: &Account, mut room: Room, content: &Content<'_>) {
        let mut used = self.arena.prepare(content.shape());
        let at = self.arena.add(&mut room, content);
        used += self.by_id.insert(self.hash(content.id), at);
        debug_assert!(used <= room.bytes, "{used} taken, {} charged", room.bytes);
        account.refund(room.bytes - used);
        room.pages.into_iter().for_each(|page| account.give(page));
        self.link(account, at);
    }

    fn link(&mut self, account: &Account, at: u32) {
        self.wheel.insert(&mut self.arena, at);
        let slot = self.arena.slot(at);
        if slot.is_anonymous() {
            account.evictable_came(slot.shape().size());
            self.queue.push(&mut self.arena, at);
        }
    }

    fn unlink(&mut self, account: &Account, at: u32) {
        self.wheel.unlink(&mut self.arena, at);
        let slot = self.arena.slot(at);
        if slot.is_anonymous() {
            account.evictable_went(slot.shape().size());
            self.queue.unlink(&mut self.arena, at);
        }
    }

    /// Takes a session out and gives back what it took.
    pub(super) fn remove(&mut self, account: &Account, at: u32) {
        let hash = self.hash(self.arena.slot(at).id());
        self.by_id.remove(account, hash, at);
        self.unlink(account, at);
        self.free(account, at);
    }

    /// Frees the slots of a session that nothing links to.
    fn free(&mut self, account: &Account, at: u32) -> Option<Moved> {
        self.arena.drop_pieces(account, at, 0);
        let anonymous = self.arena.slot(at).is_anonymous();
        let moved = self.arena.free(account, at, anonymous)?;
        let Moved { from, to } = moved;
        debug_assert_ne!(class(to), PIECE);
        let slot = self.arena.slot(to);
        let (hash, anonymous) = (self.hash(slot.id()), slot.is_anonymous());
        self.by_id.set(hash, from, to);
        self.wheel.moved(&mut self.arena, to);
        if anonymous {
            self.queue.moved(&mut self.arena, to);
        }
        self.arena.slot_moved(to);
        Some(moved)
    }

    /// Puts another record in the place of one. It stays where it is if it has the same size, else it moves to slots that
    /// fit; where there is no room for those, it stays as well, if it can.
    ///
    /// # Errors
    /// What is missing; nothing was changed.
    pub(super) fn replace(
        &mut self,
        account: &Account,
        at: u32,
        content: &Content<'_>,
    ) -> Result<(), Needs> {
        let (old, wanted) = (self.arena.slot(at).shape(), content.shape());
        if old.class == wanted.class && wanted.pieces <= old.pieces {
            self.rewrite(account, at, wanted, content);
            return Ok(());
        }
        let needs = self.arena.needs(wanted);
        if let Some(room) = account.room(needs) {
            self.relocate(account, at, room, content);
            return Ok(());
        }
        let within = old.within(content.packed.len(), content.anonymous);
        let shape = within.ok_or(needs)?;
        self.rewrite(account, at, shape, content);
        Ok(())
    }

    fn rewrite(&mut self, account: &Account, at: u32, shape: Shape, content: &Content<'_>) {
        self.unlink(account, at);
        self.arena.rewrite(account, at, shape, content);
        self.link(account, at);
    }

    fn relocate(&mut self, account: &Account, at: u32, mut room: Room, content: &Content<'_>) {
        let used = self.arena.prepare(content.shape());
        account.refund(room.bytes - used);
        let to = self.arena.add(&mut room, content);
        room.pages.into_iter().for_each(|page| account.give(page));
        self.unlink(account, at);
        self.by_id.set(self.hash(content.id), at, to);
        self.link(account, to);
        self.free(account, at);
    }

    /// Notes a use where it stands.
    pub(super) fn touch(&mut self, at: u32, activity: Activity) {
        self.arena.touch(at, activity);
    }

    /// An anonymous session was used: it goes last of all.
    pub(super) fn used(&mut self, at: u32, stamp: u32) {
        self.arena.set_stamp(at, stamp);
        self.queue.unlink(&mut self.arena, at);
        self.queue.push(&mut self.arena, at);
    }

    /// The anonymous session that was used least recently.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.queue.first()
    }

    /// That one, or the next where it is `spare`.
    pub(super) fn oldest_but(&self, spare: Option<SessionId>) -> Option<u32> {
        let oldest = self.queue.first()?;
        if Some(self.arena.slot(oldest).id()) == spare {
            self.queue.after(&self.arena, oldest)
        } else {
            Some(oldest)
        }
    }

    /// A session whose deadline is at or before `now`; see [`Wheel::due`].
    pub(super) fn due(&mut self, now: Timestamp, steps: &mut usize) -> Option<u32> {
        self.wheel.due(&mut self.arena, now.as_millis(), steps)
    }

    pub(super) fn earliest(&self) -> i64 {
        self.wheel.earliest()
    }

    /// Pages that would come free; see [`Arena::evictable`].
    pub(super) fn evictable(&self, spared: Option<u32>, wanted: Option<Shape>) -> isize {
        let spared = spared.map(|at| self.arena.slot(at).shape());
        self.arena.evictable(spared, wanted)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut anonymous = (0, 0);
        let (mut sessions, mut pieces) = (0, 0);
        for (_, at) in self.by_id.from(0) {
            let slot = self.arena.slot(at);
            assert_eq!(self.find(slot.id()), Some(at), "found by its id");
            let shape = slot.shape();
            (sessions, pieces) = (sessions + 1, pieces + shape.pieces);
            let named = slot.head().is_ok_and(|head| head.subject.is_some());
            assert!(!(named && slot.is_anonymous()));
            if slot.is_anonymous() {
                anonymous = (anonymous.0 + 1, anonymous.1 + 1 + shape.pieces);
            }
        }
        assert_eq!(self.queue.check(&self.arena), anonymous.0);
        self.wheel.check(&self.arena);
        assert_eq!((self.by_id.len(), self.arena.len()), (sessions, sessions));
        assert_eq!(self.arena.counts(), (pieces, anonymous.1));
    }

    /// What its containers take.
    #[cfg(test)]
    pub(super) fn size(&self, page: usize) -> usize {
        self.arena.size(page) + self.by_id.size()
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
        let oldest = self.shard.oldest().map(|at| self.shard.slot(at).stamp());
        self.cell
            .oldest
            .store(oldest.map_or(u64::MAX, u64::from), Relaxed);
        self.cell.earliest.store(self.shard.earliest(), Relaxed);
    }
}
