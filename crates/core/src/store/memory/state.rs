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

use super::account::{Account, Needs, Short, block};
use super::arena::CLASSES;
use super::ids::Ids;
use super::index::Index;
use super::not_before::NotBefore;
use super::ordered::Ordered;
use super::pages::page_size;
use super::shard::{Cell, Locked, Shard};
use super::slot::Slot;
use super::{Full, MIB};
use crate::record::Record;
use crate::store::{ErrorKind, Loaded, StoreError, SweptSession};
use crate::subject::Subject;
use crate::time::Timestamp;
use crate::token::SessionId;

pub(super) const FULL: StoreError = StoreError::new(
    ErrorKind::Full,
    "the reserved memory is taken by live sessions",
);

/// How often a thread lets others go first that are about to give room, before it takes their word for nothing.
const PATIENCE: usize = 1000;

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
    pub(super) ids: Ids,
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
        let page = page_size(reserve);
        let segments = segments(reserve, shards);
        let ids = Ids::new(shards);
        let cells: Box<[Cell]> = (0..shards)
            .map(|_| Cell::new(Shard::new(ids.clone(), page, segments)))
            .collect();
        let index = || Mutex::new(Index::new(segments, ids.bits()));
        let replay = Shard::new(Ids::new(1), page, segments);
        Self {
            account: Account::new(reserve, max_sessions, Self::fixed(reserve, shards), page),
            cells,
            indexes: (0..shards).map(|_| index()).collect(),
            not_before: RwLock::new(NotBefore::new(foldhash::quality::RandomState::default())),
            replay: Mutex::new(replay),
            longest: AtomicI64::new(0),
            turn: AtomicUsize::new(0),
            uses: AtomicU32::new(0),
            ids,
            subjects: foldhash::quality::RandomState::default(),
            full,
        }
    }

    /// What the store takes with nothing in it.
    pub(super) const fn fixed(reserve: usize, shards: usize) -> usize {
        block(shards * size_of::<Cell>())
            + block(shards * size_of::<Mutex<Index>>())
            + (2 * shards + 1) * Ordered::fixed(segments(reserve, shards))
            + size_of::<Self>()
    }

    pub(super) fn cell(&self, id: SessionId) -> &Cell {
        self.cell_of(self.ids.place(id))
    }

    pub(super) fn cell_of(&self, place: u32) -> &Cell {
        &self.cells[self.ids.shard(place)]
    }

    /// The hash under which a subject's sessions are indexed; 0 for nobody.
    pub(super) fn owner(&self, subject: Option<&Subject>) -> u32 {
        subject.map_or(0, |subject| self.owner_named(subject.as_str()))
    }

    fn owner_named(&self, subject: &str) -> u32 {
        self.subjects.hash_one(subject) as u32 | 1
    }

    /// The [`State::owner`] of a session.
    pub(super) fn owner_of(&self, slot: &Slot<'_>) -> u32 {
        if slot.is_anonymous() {
            return 0;
        }
        let head = slot.head().ok();
        let subject = head.and_then(|head| head.subject);
        subject.map_or(0, |subject| self.owner_named(subject))
    }

    /// Locks the index of one or two owners; nothing for nobody.
    pub(super) fn index(&self, owner: u32, other: u32) -> Indexes<'_> {
        let of = |owner: u32| (owner != 0).then(|| self.ids.shard(owner));
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
            ids: &self.ids,
        }
    }

    pub(super) fn stamp(&self) -> u32 {
        self.uses.fetch_add(1, Relaxed)
    }

    /// Notes that the anonymous session at `at` was used.
    pub(super) fn used(&self, shard: &mut Locked<'_>, at: u32) {
        if shard.slot(at).is_anonymous() {
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

    /// Takes a session out with all that is kept of it, if it is `wanted`, and answers what that found in it. `held` must
    /// lock its owner's index.
    pub(super) fn take<T>(
        &self,
        id: SessionId,
        held: &mut Indexes<'_>,
        wanted: impl FnOnce(&Slot<'_>) -> Option<T>,
    ) -> Tried<Option<T>> {
        let place = self.ids.place(id);
        let mut shard = self.cell_of(place).lock();
        let Some(at) = shard.find(id) else {
            return Tried::Done(None);
        };
        let slot = shard.slot(at);
        let owner = self.owner_of(&slot);
        if owner != 0 && held.of(owner).is_none() {
            return Tried::Moved;
        }
        let Some(found) = wanted(&slot) else {
            return Tried::Done(None);
        };
        self.account.session_gone(slot.is_anonymous());
        shard.remove(&self.account, at);
        drop(shard);
        if let Some(index) = held.of(owner) {
            index.remove(&self.account, owner, place);
        }
        Tried::Done(Some(found))
    }

    /// [`State::take`], whoever it belongs to.
    pub(super) fn end<T>(
        &self,
        id: SessionId,
        wanted: impl Fn(&Slot<'_>) -> Option<T>,
    ) -> Option<T> {
        loop {
            let owner = {
                let shard = self.cell(id).lock();
                self.owner_of(&shard.slot(shard.find(id)?))
            };
            if let Tried::Done(taken) = self.take(id, &mut self.index(owner, 0), &wanted) {
                return taken;
            }
        }
    }

    /// Makes some room: an expired session goes first, then the anonymous one that was used least recently. What that frees
    /// may be just the slot that is wanted, so whoever asked tries again. `spare` is the session the room is for.
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
        if self.account.fits(short) || self.clear_one(now, &mut { usize::MAX }).is_some() {
            return Ok(());
        }
        if self.full == Full::Reject || !self.could_fit(short, spare) {
            return Err(FULL);
        }
        // There is room, or what makes room, but another thread was faster or is about to be: what it does decides.
        let before = self.account.stats();
        let happened = |_| {
            if self.evict_one(spare) {
                return true;
            }
            std::thread::yield_now();
            self.account.stats() != before
        };
        if (0..PATIENCE).any(happened) {
            Ok(())
        } else {
            Err(FULL)
        }
    }

    /// Whether there could be room if every anonymous session but `spare` went: asked first, so that a write which can
    /// never fit does not throw out everybody on its way to being refused.
    fn could_fit(&self, short: Short, spare: Option<SessionId>) -> bool {
        if !self.account.could_place(short.sessions) {
            return false;
        }
        // Slots of different sizes leave at most this in pages that are not full.
        let page = self.account.pool.cost();
        let unsure = self.cells.len() * CLASSES * page;
        let sure = self.account.evictable().saturating_sub(unsure);
        if spare.is_none() && self.account.fits_without(sure, short.needs) {
            return true;
        }
        let mut pages = 0;
        for (number, cell) in self.cells.iter().enumerate() {
            let shard = cell.lock();
            let spared = spare.filter(|id| self.ids.shard(self.ids.place(*id)) == number);
            let spared = spared.and_then(|id| shard.find(id));
            let spared = spared.filter(|at| shard.slot(*at).is_anonymous());
            let wanted = short.slots.filter(|(of, _)| *of == number);
            pages += shard.evictable(spared, wanted.map(|(_, shape)| shape));
        }
        // What is wanted is in that count, except where it is of no shard of sessions.
        let needs = Needs {
            pages: short.slots.map_or(short.needs.pages, |_| 0),
            ..short.needs
        };
        match usize::try_from(pages) {
            Ok(pages) => self.account.fits_without(pages * page, needs),
            Err(_) => {
                let pages = needs.pages + pages.unsigned_abs();
                self.account.fits_without(0, Needs { pages, ..needs })
            }
        }
    }

    /// Takes one expired session out of any shard.
    pub(super) fn clear_one(&self, now: Timestamp, steps: &mut usize) -> Option<SweptSession> {
        let first = self.turn.load(Relaxed);
        for turn in 0..self.cells.len() {
            let cell = &self.cells[(first + turn) % self.cells.len()];
            while cell.may_be_due(now) && *steps > 0 {
                let due = {
                    let mut shard = cell.lock();
                    shard.due(now, steps).map(|at| shard.slot(at).id())
                };
                let Some(id) = due else { break };
                // A use that was noted meanwhile, by a caller whose clock is behind, saves it.
                let swept = |slot: &Slot<'_>| over(slot, now).then(|| swept(slot));
                if let Some(swept) = self.end(id, swept) {
                    return Some(swept);
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
            let Some(at) = shard.oldest_but(spare) else {
                return false;
            };
            self.account.session_gone(true);
            shard.remove(&self.account, at);
            self.account.evicted();
            true
        })
    }
}

fn swept(slot: &Slot<'_>) -> SweptSession {
    let subject = slot.head().ok().and_then(|head| head.subject);
    SweptSession {
        id: slot.id(),
        subject: subject.and_then(|name| Subject::new(name).ok()),
        deadline: slot.deadline(),
    }
}

/// Parts of each table: as many as keep each of them at some thousand entries when the store is full, at most 16.
const fn segments(reserve: usize, shards: usize) -> usize {
    let parts = reserve / shards / (4 * MIB);
    if parts > 16 {
        16
    } else if parts == 0 {
        1
    } else {
        parts.next_power_of_two()
    }
}

/// Shards of the index that are locked.
pub(super) struct Indexes<'a> {
    held: [Option<(usize, MutexGuard<'a, Index>)>; 2],
    ids: &'a Ids,
}

impl Indexes<'_> {
    /// The shard of `owner`, if it is held.
    pub(super) fn of(&mut self, owner: u32) -> Option<&mut Index> {
        let at = self.ids.shard(owner);
        let held = self.held.iter_mut().flatten();
        held.filter(|_| owner != 0)
            .find(|(held, _)| *held == at)
            .map(|(_, index)| &mut **index)
    }
}

/// Whether its deadline is at or before `now`.
pub(super) fn over(slot: &Slot<'_>, now: Timestamp) -> bool {
    slot.deadline() <= now
}
