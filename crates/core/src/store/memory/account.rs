//! The one account that every byte is charged to before it is taken.
//!
//! Containers say exactly what they hold ([`block`] of each allocation), so the sum of all of them is the balance at any
//! moment at which no operation is under way; a test recomputes it from scratch after every operation. Free pages
//! ([`Pool`]) are not in the balance, but balance and free pages together stay within the reservation too.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::Stats;
use super::arena::Shape;
use super::pages::{Page, Pool};

/// What an allocation of `len` bytes takes from the system: glibc's header of 8, rounding to 16, and least chunk of 32;
/// from 128 KiB on, pages of their own. Other allocators round by size classes, a few percent apart from this.
pub(super) const fn block(len: usize) -> usize {
    if len == 0 {
        0
    } else if len >= 128 * 1024 {
        (len + 16).next_multiple_of(4096)
    } else if len <= 24 {
        32
    } else {
        (len + 8).next_multiple_of(16)
    }
}

/// What a write takes: pages, and bytes for tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) bytes: usize,
    pub(super) pages: usize,
}

impl Needs {
    pub(super) const fn of_bytes(bytes: usize) -> Self {
        Self { bytes, pages: 0 }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            pages: self.pages + other.pages,
        }
    }
}

/// What was charged for a write before it is carried out, its pages in hand.
#[must_use]
#[derive(Default)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) pages: Vec<Page>,
}

/// What is missing for a write.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Short {
    pub(super) needs: Needs,
    pub(super) sessions: usize,
    /// Slots of a shard that it wants, and which may come from evictions without a page coming free.
    pub(super) slots: Option<(usize, Shape)>,
}

/// Balance and counts. Counters are relaxed: the locks around what they count give the order.
pub(super) struct Account {
    reserve: usize,
    max_sessions: usize,
    used: AtomicUsize,
    sessions: AtomicUsize,
    anonymous: AtomicUsize,
    /// Bytes of the slots of anonymous sessions.
    evictable: AtomicUsize,
    evicted: AtomicU64,
    pub(super) pool: Pool,
}

impl Account {
    /// An account of `reserve` bytes, of which `fixed` are taken for good.
    pub(super) fn new(reserve: usize, max_sessions: usize, fixed: usize, page: usize) -> Self {
        Self {
            reserve: reserve.max(fixed),
            max_sessions,
            used: AtomicUsize::new(fixed),
            sessions: AtomicUsize::new(0),
            anonymous: AtomicUsize::new(0),
            evictable: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            pool: Pool::new(reserve, page),
        }
    }

    fn cost(&self, needs: Needs) -> usize {
        let pages = self.pool.cost().saturating_mul(needs.pages);
        pages.saturating_add(needs.bytes)
    }

    fn take(&self, bytes: usize) -> bool {
        let within = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.reserve);
        bytes == 0 || self.used.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    /// Lets free pages go where they and the balance are more than the reservation.
    fn trim(&self) {
        let held = self.used.load(Relaxed).saturating_add(self.pool.kept());
        if held > self.reserve && self.pool.kept() > 0 {
            self.pool.release(held - self.reserve);
        }
    }

    /// Takes `bytes`, if they are there.
    pub(super) fn charge(&self, bytes: usize) -> bool {
        let taken = self.take(bytes);
        self.trim();
        taken
    }

    /// Takes pages and bytes, if all are there.
    pub(super) fn room(&self, needs: Needs) -> Option<Room> {
        if !self.take(self.cost(needs)) {
            return None;
        }
        let pages = (0..needs.pages).map(|_| self.pool.take()).collect();
        self.trim();
        Some(Room {
            bytes: needs.bytes,
            pages,
        })
    }

    /// Takes a page back.
    pub(super) fn give(&self, page: Page) {
        self.refund(self.pool.cost());
        self.pool.give(page, |next, old| {
            let grown = self.take(next);
            if grown {
                self.refund(old);
            }
            grown
        });
        self.trim();
    }

    /// Gives `bytes` back.
    pub(super) fn refund(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// Takes what one more session needs: room and its place.
    pub(super) fn room_for_session(&self, needs: Needs, anonymous: bool) -> Option<Room> {
        // Counted as anonymous before it is counted at all, and the other way round when it goes: sessions with a subject
        // are never thought to be more than they are, which would refuse somebody for whom there is a place.
        self.changes_hands(false, anonymous);
        let within = |sessions: usize| (sessions < self.max_sessions).then_some(sessions + 1);
        let placed = self.sessions.fetch_update(Relaxed, Relaxed, within);
        let room = placed.ok().and_then(|_| self.room(needs));
        if room.is_none() {
            self.sessions
                .fetch_sub(usize::from(placed.is_ok()), Relaxed);
            self.changes_hands(anonymous, false);
        }
        room
    }

    pub(super) fn session_gone(&self, anonymous: bool) {
        self.sessions.fetch_sub(1, Relaxed);
        self.changes_hands(anonymous, false);
    }

    /// One that was anonymous, or not, is so now.
    pub(super) fn changes_hands(&self, was: bool, is: bool) {
        self.anonymous.fetch_add(usize::from(is), Relaxed);
        self.anonymous.fetch_sub(usize::from(was), Relaxed);
    }

    /// Slots of an anonymous session came.
    pub(super) fn evictable_came(&self, bytes: usize) {
        self.evictable.fetch_add(bytes, Relaxed);
    }

    pub(super) fn evictable_went(&self, bytes: usize) {
        self.evictable.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn evicted(&self) {
        self.evicted.fetch_add(1, Relaxed);
    }

    /// Whether there is room now.
    pub(super) fn fits(&self, short: Short) -> bool {
        self.fits_without(0, short.needs)
            && self.sessions.load(Relaxed) + short.sessions <= self.max_sessions
    }

    /// Whether there would be room if `freed` bytes went.
    pub(super) fn fits_without(&self, freed: usize, needs: Needs) -> bool {
        let kept = self.used.load(Relaxed).saturating_sub(freed);
        kept.saturating_add(self.cost(needs)) <= self.reserve
    }

    /// Whether there could be places if every anonymous session went.
    pub(super) fn could_place(&self, sessions: usize) -> bool {
        let all = self.sessions.load(Relaxed);
        let named = all.saturating_sub(self.anonymous.load(Relaxed));
        named + sessions <= self.max_sessions
    }

    /// Bytes of the slots of anonymous sessions.
    pub(super) fn evictable(&self) -> usize {
        self.evictable.load(Relaxed)
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            sessions: self.sessions.load(Relaxed),
            anonymous: self.anonymous.load(Relaxed),
            used: self.used.load(Relaxed),
            reserved: self.reserve,
            evicted: self.evicted.load(Relaxed),
        }
    }
}
