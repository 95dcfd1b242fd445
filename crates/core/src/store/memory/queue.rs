//! Anonymous sessions by last use, the least recent first.

use super::slab::{Links, NONE, Slab};

/// A list through [`super::slab::Slot::queue`].
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

    /// `at` was used just now.
    pub(super) fn push(&mut self, slab: &mut Slab, at: u32) {
        slab.get_mut(at).queue = Links {
            prev: self.last,
            next: NONE,
        };
        if self.last == NONE {
            self.first = at;
        } else {
            slab.get_mut(self.last).queue.next = at;
        }
        self.last = at;
    }

    pub(super) fn unlink(&mut self, slab: &mut Slab, at: u32) {
        let links = std::mem::replace(&mut slab.get_mut(at).queue, Links::FREE);
        self.join(slab, links, links.next, links.prev);
    }

    /// The slot that was elsewhere now stands at `at`.
    pub(super) fn moved(&mut self, slab: &mut Slab, at: u32) {
        let links = slab.get(at).queue;
        self.join(slab, links, at, at);
    }

    /// Makes the neighbour before point to `next` and the one after to `prev`.
    fn join(&mut self, slab: &mut Slab, links: Links, next: u32, prev: u32) {
        if links.prev == NONE {
            self.first = next;
        } else {
            slab.get_mut(links.prev).queue.next = next;
        }
        if links.next == NONE {
            self.last = prev;
        } else {
            slab.get_mut(links.next).queue.prev = prev;
        }
    }

    /// Holds every anonymous slot once, oldest first.
    #[cfg(test)]
    pub(super) fn check(&self, slab: &Slab) {
        let (mut at, mut before, mut seen) = (self.first, NONE, 0);
        let mut stamp = 0;
        while at != NONE {
            let slot = slab.get(at);
            assert_eq!(slot.owner, 0, "one with a subject could be evicted");
            assert_eq!(slot.queue.prev, before);
            assert!(stamp <= slot.stamp, "not in the order of use");
            (before, at, stamp) = (at, slot.queue.next, slot.stamp);
            seen += 1;
        }
        assert_eq!(self.last, before);
        assert_eq!(seen, slab.iter().filter(|slot| slot.owner == 0).count());
    }
}
