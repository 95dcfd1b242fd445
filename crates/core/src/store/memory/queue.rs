//! Anonymous sessions by last use, the least recent first.

use super::arena::{Arena, NONE};
use super::slot::{QUEUE_NEXT as NEXT, QUEUE_PREV as PREV};

/// A list through the queue's links of slots; only anonymous sessions have such.
pub(super) struct Queue {
    first: u32,
    last: u32,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
        }
    }

    /// The least recently used.
    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// The next after `at`.
    pub(super) fn after(&self, arena: &Arena, at: u32) -> Option<u32> {
        let next = arena.link(at, NEXT);
        (next != NONE).then_some(next)
    }

    /// `at` was used just now.
    pub(super) fn push(&mut self, arena: &mut Arena, at: u32) {
        arena.set_link(at, PREV, self.last);
        arena.set_link(at, NEXT, NONE);
        if self.last == NONE {
            self.first = at;
        } else {
            arena.set_link(self.last, NEXT, at);
        }
        self.last = at;
    }

    pub(super) fn unlink(&mut self, arena: &mut Arena, at: u32) {
        let (prev, next) = (arena.link(at, PREV), arena.link(at, NEXT));
        self.join(arena, (prev, next), next, prev);
    }

    /// The slot that was elsewhere now stands at `at`.
    pub(super) fn moved(&mut self, arena: &mut Arena, at: u32) {
        let links = (arena.link(at, PREV), arena.link(at, NEXT));
        self.join(arena, links, at, at);
    }

    /// Makes the neighbour before point to `next` and the one after to `prev`.
    fn join(&mut self, arena: &mut Arena, (before, after): (u32, u32), next: u32, prev: u32) {
        if before == NONE {
            self.first = next;
        } else {
            arena.set_link(before, NEXT, next);
        }
        if after == NONE {
            self.last = prev;
        } else {
            arena.set_link(after, PREV, prev);
        }
    }

    /// Holds every anonymous slot once, oldest first; answers how many.
    #[cfg(test)]
    pub(super) fn check(&self, arena: &Arena) -> usize {
        let (mut at, mut before, mut seen) = (self.first, NONE, 0);
        let mut stamp = 0;
        while at != NONE {
            let slot = arena.slot(at);
            assert!(slot.is_anonymous(), "one with a subject could be evicted");
            assert_eq!(arena.link(at, PREV), before);
            assert!(stamp <= slot.stamp(), "not in the order of use");
            (before, at, stamp) = (at, arena.link(at, NEXT), slot.stamp());
            seen += 1;
        }
        assert_eq!(self.last, before);
        seen
    }
}
