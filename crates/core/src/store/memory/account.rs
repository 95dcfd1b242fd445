//! The one account that every byte is charged to before it is taken.
//!
//! Containers say exactly what they hold ([`block`] of each allocation), so the sum of all of them is the balance at any
//! moment at which no operation is under way; a test recomputes it from scratch after every operation.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::Stats;

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

/// What is missing for a write.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Short {
    pub(super) bytes: usize,
    pub(super) sessions: usize,
}

/// Balance and counts. Counters are relaxed: the locks around what they count give the order.
pub(super) struct Account {
    reserve: usize,
    max_sessions: usize,
    used: AtomicUsize,
    sessions: AtomicUsize,
    anonymous: AtomicUsize,
    /// Bytes that would come free if every anonymous session went.
    evictable: AtomicUsize,
    evicted: AtomicU64,
}

impl Account {
    /// An account of `reserve` bytes, of which `fixed` are taken for good.
    pub(super) fn new(reserve: usize, max_sessions: usize, fixed: usize) -> Self {
        Self {
            reserve: reserve.max(fixed),
            max_sessions,
            used: AtomicUsize::new(fixed),
            sessions: AtomicUsize::new(0),
            anonymous: AtomicUsize::new(0),
            evictable: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    /// Takes `bytes`, if they are there.
    pub(super) fn charge(&self, bytes: usize) -> bool {
        let within = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.reserve);
        bytes == 0 || self.used.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    /// Gives `bytes` back.
    pub(super) fn refund(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// Takes what one more session needs: `bytes` and its place.
    pub(super) fn charge_session(&self, bytes: usize) -> Result<(), Short> {
        let within = |sessions: usize| (sessions < self.max_sessions).then_some(sessions + 1);
        if self
            .sessions
            .fetch_update(Relaxed, Relaxed, within)
            .is_err()
        {
            return Err(Short { bytes, sessions: 1 });
        }
        if self.charge(bytes) {
            return Ok(());
        }
        self.sessions.fetch_sub(1, Relaxed);
        Err(Short { bytes, sessions: 1 })
    }

    pub(super) fn session_gone(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }

    pub(super) fn anonymous_came(&self, bytes: usize) {
        self.anonymous.fetch_add(1, Relaxed);
        self.evictable.fetch_add(bytes, Relaxed);
    }

    pub(super) fn anonymous_went(&self, bytes: usize) {
        self.anonymous.fetch_sub(1, Relaxed);
        self.evictable.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn evicted(&self) {
        self.evicted.fetch_add(1, Relaxed);
    }

    /// Whether there is room now.
    pub(super) fn fits(&self, short: Short) -> bool {
        let used = self.used.load(Relaxed);
        used.saturating_add(short.bytes) <= self.reserve
            && self.sessions.load(Relaxed) + short.sessions <= self.max_sessions
    }

    /// Whether there could be room if every anonymous session but the `spared` bytes went: asked first, so that a write
    /// which can never fit does not throw out everybody on its way to being refused.
    pub(super) fn could_fit(&self, short: Short, spared: usize) -> bool {
        let evictable = self.evictable.load(Relaxed).saturating_sub(spared);
        let kept = self.used.load(Relaxed).saturating_sub(evictable);
        let named = self
            .sessions
            .load(Relaxed)
            .saturating_sub(self.anonymous.load(Relaxed));
        kept.saturating_add(short.bytes) <= self.reserve
            && named + short.sessions <= self.max_sessions
    }

    #[cfg(test)]
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
