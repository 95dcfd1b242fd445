//! Everything the store holds, and the order in which its locks are taken.
//!
//! **Lock order:** shards of the index, ascending, at most two; then one shard of sessions, or the replay keys; then the
//! not-befores. No two shards of sessions are ever held together, nothing is awaited while a lock is held, and room is
//! made ([`State::make_room`]) only with no lock held.
//!
//! What a subject has changes only under his shard of the index, so a limit that is counted there holds; whether a login
//! comes too late is judged under the lock of the session's shard, which a revocation takes after it set the not-before:
//! the login is either refused or found.

use std::hash::BuildHasher as _;
use std::mem::size_of;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::Full;
use super::account::{Account, Short, block};
use super::index::Index;
use super::not_before::NotBefore;
use super::shard::{Cell, Locked, Shard};
use super::slab::Slot;
use crate::record::Record;
use crate::store::{ErrorKind, Loaded, StoreError};
use crate::subject::Subject;
use crate::time::Timestamp;
use crate::token::SessionId;

pub(super) const FULL: StoreError = StoreError::new(
    ErrorKind::Full,
    "the reserved memory is taken by live sessions",
);

pub(super) struct State {
    pub(super) account: Account,
    pub(super) cells: Box<[Cell]>,
    pub(super) indexes: Box<[Mutex<Index>]>,
    pub(super) not_before: RwLock<NotBefore>,
    /// Keys seen, as slots without a record; see [`super::replay`].
    pub(super) replay: Mutex<Shard>,
    /// The latest hard cap of any session there ever was.
    pub(super) longest: AtomicI64,
    /// Where the next sweep begins.
    pub(super) turn: AtomicUsize,
    uses: AtomicU32,
    ids: foldhash::fast::RandomState,
    subjects: foldhash::quality::RandomState,
    full: Full,
}

/// How an attempt ended that may have to be made again.
pub(super) enum Tried<T> {
    Done(T),
    /// Something has to go first.
    Short(Short),
    /// The session changed hands between two locks.
    Moved,
}

impl State {
    pub(super) fn new(reserve: usize, max_sessions: usize, full: Full, shards: usize) -> Self {
        let ids = foldhash::fast::RandomState::default();
        let cells: Box<[Cell]> = (0..shards)
            .map(|_| Cell::new(Shard::new(ids.clone())))
            .collect();
        let indexes = (0..shards).map(|_| Mutex::new(Index::new())).collect();
        Self {
            account: Account::new(reserve, max_sessions, Self::fixed(shards)),
            cells,
            indexes,
            not_before: RwLock::new(NotBefore::new(foldhash::quality::RandomState::default())),
            replay: Mutex::new(Shard::new(ids.clone())),
            longest: AtomicI64::new(0),
            turn: AtomicUsize::new(0),
            uses: AtomicU32::new(0),
            ids,
            subjects: foldhash::quality::RandomState::default(),
            full,
        }
    }

    /// What the store takes with nothing in it.
    pub(super) const fn fixed(shards: usize) -> usize {
        block(shards * size_of::<Cell>())
            + block(shards * size_of::<Mutex<Index>>())
            + size_of::<Self>()
    }

    pub(super) fn cell(&self, id: SessionId) -> &Cell {
        // Other bits than those by which the tables place and tag.
        &self.cells[(self.ids.hash_one(id) >> 40) as usize & (self.cells.len() - 1)]
    }

    /// The hash under which a subject's sessions are indexed; 0 for nobody.
    pub(super) fn owner(&self, subject: Option<&Subject>) -> u32 {
        subject.map_or(0, |subject| self.subjects.hash_one(subject) as u32 | 1)
    }

    /// Locks the index of one or two owners; nothing for nobody.
    pub(super) fn index(&self, owner: u32, other: u32) -> Indexes<'_> {
        let of =
            |owner: u32| (owner != 0).then(|| (owner >> 28) as usize & (self.indexes.len() - 1));
        let (mut first, mut second) = (of(owner), of(other));
        if first == second {
            second = None;
        } else if second.is_some() && (first.is_none() || second < first) {
            std::mem::swap(&mut first, &mut second);
        }
        // One after the other: the order is what keeps two of these from waiting for each other.
        let first = first.map(|at| (at, self.indexes[at].lock()));
        let second = second.map(|at| (at, self.indexes[at].lock()));
        Indexes {
            held: [first, second],
            mask: self.indexes.len() - 1,
        }
    }

    pub(super) fn stamp(&self) -> u32 {
        self.uses.fetch_add(1, Relaxed)
    }

    /// Notes that the anonymous session at `at` was used.
    pub(super) fn used(&self, shard: &mut Locked<'_>, at: u32) {
        if shard.slot(at).owner == 0 {
            shard.used(at, self.stamp());
        }
    }

    pub(super) fn loaded(&self, record: Record) -> Loaded {
        let not_before = self.not_before.read().of(&record.security);
        Loaded {
            record: record.into(),
            not_before,
            store_now: None,
        }
    }

    /// Takes a session out with all that is kept of it, if it is `wanted`. `held` must lock its owner's index.
    pub(super) fn take(
        &self,
        id: SessionId,
        held: &mut Indexes<'_>,
        wanted: impl FnOnce(&Slot) -> bool,
    ) -> Tried<Option<Slot>> {
        let mut shard = self.cell(id).lock();
        let Some(at) = shard.find(id) else {
            return Tried::Done(None);
        };
        let slot = shard.slot(at);
        let owner = slot.owner;
        if owner != 0 && held.of(owner).is_none() {
            return Tried::Moved;
        }
        if !wanted(slot) {
            return Tried::Done(None);
        }
        let removed = shard.remove(&self.account, at);
        drop(shard);
        if let Some(slot) = &removed {
            self.account.session_gone();
            match held.of(owner) {
                Some(index) => index.remove(&self.account, owner, id),
                None => self.account.anonymous_went(evictable(&slot.bytes)),
            }
        }
        Tried::Done(removed)
    }

    /// [`State::take`], whoever it belongs to.
    pub(super) fn end(&self, id: SessionId, wanted: impl Fn(&Slot) -> bool) -> Option<Slot> {
        loop {
            let owner = {
                let shard = self.cell(id).lock();
                shard.slot(shard.find(id)?).owner
            };
            if let Tried::Done(taken) = self.take(id, &mut self.index(owner, 0), &wanted) {
                return taken;
            }
        }
    }

    /// Makes room: expired sessions and keys go first, then anonymous sessions, least recently used first. `spare` is the
    /// session the room is for.
    pub(super) fn make_room(
        &self,
        short: Short,
        spare: Option<SessionId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.account.fits(short) {
            return Ok(());
        }
        self.forget_replays(now, usize::MAX);
        self.not_before.write().forget(&self.account, now);
        let spared = spare.map_or(0, |id| {
            let shard = self.cell(id).lock();
            let at = shard.find(id).filter(|at| shard.slot(*at).owner == 0);
            at.map_or(0, |at| evictable(&shard.slot(at).bytes))
        });
        while !self.account.fits(short) {
            let mut steps = usize::MAX;
            if self.clear_one(now, &mut steps).is_some() {
                continue;
            }
            let possible = self.full == Full::Evict && self.account.could_fit(short, spared);
            if !possible || !self.evict_one(spare) {
                return Err(FULL);
            }
        }
        Ok(())
    }

    /// Takes one expired session out of any shard.
    pub(super) fn clear_one(&self, now: Timestamp, steps: &mut usize) -> Option<Slot> {
        let first = self.turn.load(Relaxed);
        for turn in 0..self.cells.len() {
            let cell = &self.cells[(first + turn) % self.cells.len()];
            while cell.may_be_due(now) && *steps > 0 {
                let due = {
                    let mut shard = cell.lock();
                    shard.due(now, steps).map(|at| shard.slot(at).id)
                };
                let Some(id) = due else { break };
                // A use that was noted meanwhile, by a caller whose clock is behind, saves it.
                if let Some(slot) = self.end(id, |slot| slot.deadline() <= now) {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// Takes the anonymous session out that was used least recently, of the whole store.
    fn evict_one(&self, spare: Option<SessionId>) -> bool {
        let latest = self.uses.load(Relaxed);
        let mut by_age: Vec<_> = self
            .cells
            .iter()
            .filter_map(|cell| Some((latest.wrapping_sub(cell.oldest_stamp()?), cell)))
            .collect();
        by_age.sort_unstable_by_key(|(age, _)| std::cmp::Reverse(*age));
        by_age.into_iter().any(|(_, cell)| {
            let mut shard = cell.lock();
            let oldest = shard
                .oldest()
                .filter(|at| Some(shard.slot(*at).id) != spare);
            let removed = oldest.and_then(|at| shard.remove(&self.account, at));
            if let Some(slot) = &removed {
                self.account.session_gone();
                self.account.anonymous_went(evictable(&slot.bytes));
                self.account.evicted();
            }
            removed.is_some()
        })
    }

    pub(super) fn decoded(&self, slot: &Slot) -> Result<Record, StoreError> {
        Ok(slot.record()?)
    }
}

/// What comes free when an anonymous session with this record goes.
pub(super) fn evictable(bytes: &[u8]) -> usize {
    block(bytes.len()) + size_of::<Slot>()
}

/// Shards of the index that are locked.
pub(super) struct Indexes<'a> {
    held: [Option<(usize, MutexGuard<'a, Index>)>; 2],
    mask: usize,
}

impl Indexes<'_> {
    /// The shard of `owner`, if it is held.
    pub(super) fn of(&mut self, owner: u32) -> Option<&mut Index> {
        let at = (owner >> 28) as usize & self.mask;
        let held = self.held.iter_mut().flatten();
        held.filter(|_| owner != 0)
            .find(|(held, _)| *held == at)
            .map(|(_, index)| &mut **index)
    }
}

/// Whether its deadline is at or before `now`.
pub(super) fn over(slot: &Slot, now: Timestamp) -> bool {
    slot.deadline() <= now
}
