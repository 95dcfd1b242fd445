//! Slots by deadline: a hierarchical time wheel, exact to the millisecond.
//!
//! Eight levels of 64 lists; a slot stands on the level of the highest six bits in which its deadline differs from the
//! wheel's time, so it is moved down at most seven times before it is due. A touch moves nothing: a slot that is found
//! before its deadline is put where it belongs then.

use super::slab::{Links, NONE, Slab};

const LEVELS: usize = 8;
const SLOTS: usize = 64;
/// The last time that has a place of its own, about the year 10889; later ones stand there.
const MAX: i64 = (1 << (6 * LEVELS)) - 1;
/// Marks the link before the first slot of a list; the rest is the list's number.
const FIRST: u32 = 1 << 31;

/// Lists through [`super::slab::Slot::wheel`].
pub(super) struct Wheel {
    /// Everything earlier was looked at. Moves only to the start of a list that is looked at.
    time: i64,
    heads: [u32; LEVELS * SLOTS],
    occupied: [u64; LEVELS],
}

impl Wheel {
    pub(super) const fn new() -> Self {
        Self {
            time: 0,
            heads: [NONE; LEVELS * SLOTS],
            occupied: [0; LEVELS],
        }
    }

    pub(super) fn insert(&mut self, slab: &mut Slab, at: u32) {
        let list = self.list_of(slab.get(at).deadline().as_millis());
        let next = self.heads[list];
        slab.get_mut(at).wheel = Links {
            prev: FIRST | list as u32,
            next,
        };
        if next != NONE {
            slab.get_mut(next).wheel.prev = at;
        }
        self.heads[list] = at;
        self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
    }

    pub(super) fn unlink(&mut self, slab: &mut Slab, at: u32) {
        let links = std::mem::replace(&mut slab.get_mut(at).wheel, Links::FREE);
        self.point(slab, links.prev, links.next);
        if links.next != NONE {
            slab.get_mut(links.next).wheel.prev = links.prev;
        }
    }

    /// The slot that was elsewhere now stands at `at`.
    pub(super) fn moved(&mut self, slab: &mut Slab, at: u32) {
        let links = slab.get(at).wheel;
        self.point(slab, links.prev, at);
        if links.next != NONE {
            slab.get_mut(links.next).wheel.prev = at;
        }
    }

    /// Makes what stands before point to `next`.
    fn point(&mut self, slab: &mut Slab, prev: u32, next: u32) {
        if prev & FIRST == 0 {
            slab.get_mut(prev).wheel.next = next;
            return;
        }
        let list = (prev & !FIRST) as usize;
        self.heads[list] = next;
        if next == NONE {
            self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
        }
    }

    fn list_of(&self, deadline: i64) -> usize {
        let at = deadline.clamp(self.time, MAX);
        let differing = (at ^ self.time).unsigned_abs();
        let level = differing.checked_ilog2().unwrap_or(0) as usize / 6;
        level * SLOTS + (at >> (6 * level)) as usize % SLOTS
    }

    /// When the next list begins: nothing is due earlier. [`i64::MAX`] where there is none.
    pub(super) fn earliest(&self) -> i64 {
        self.next_list().map_or(i64::MAX, |(start, _)| start)
    }

    fn next_list(&self) -> Option<(i64, usize)> {
        (0..LEVELS)
            .filter_map(|level| {
                let here = (self.time >> (6 * level)) as usize % SLOTS;
                let ahead = self.occupied[level] >> here;
                let slot = here + ahead.trailing_zeros() as usize;
                let turn = self.time >> (6 * (level + 1)) << (6 * (level + 1));
                let start = (turn | (slot as i64) << (6 * level)).max(self.time);
                (ahead != 0).then_some((start, level * SLOTS + slot))
            })
            .min()
    }

    /// A slot whose deadline is at or before `now`; it stays in the wheel. Spends one of `steps` for each slot it looks
    /// at, and gives up when they are spent.
    pub(super) fn due(&mut self, slab: &mut Slab, now: i64, steps: &mut usize) -> Option<u32> {
        while let Some((start, list)) = self.next_list()
            && start <= now
            && *steps > 0
        {
            *steps -= 1;
            self.time = start;
            let at = self.heads[list];
            if slab.get(at).deadline().as_millis() <= now {
                return Some(at);
            }
            self.unlink(slab, at);
            self.insert(slab, at);
        }
        None
    }

    /// Holds every slot once, in a list that begins no later than its deadline.
    #[cfg(test)]
    pub(super) fn check(&self, slab: &Slab) {
        let mut seen = 0;
        for (list, head) in self.heads.iter().enumerate() {
            let (mut at, mut before) = (*head, FIRST | list as u32);
            let marked = self.occupied[list / SLOTS] >> (list % SLOTS) & 1 == 1;
            assert_eq!(marked, at != NONE);
            while at != NONE {
                assert_eq!(slab.get(at).wheel.prev, before);
                (before, at) = (at, slab.get(at).wheel.next);
                seen += 1;
            }
        }
        assert_eq!(seen, slab.len());
    }
}
