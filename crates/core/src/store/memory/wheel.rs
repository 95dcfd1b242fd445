//! Slots by deadline: a hierarchical time wheel, exact to the millisecond.
//!
//! Eight levels of 64 lists; a slot stands on the level of the highest six bits in which its deadline differs from the
//! wheel's time, so it is moved down at most seven times before it is due. A touch moves nothing: a slot that is found
//! before its deadline is put where it belongs then.

use super::arena::{Arena, NONE};
use super::slot::{NEXT, PREV};

const LEVELS: usize = 8;
const SLOTS: usize = 64;
/// The last time that has a place of its own, about the year 10889; later ones stand there.
const MAX: i64 = (1 << (6 * LEVELS)) - 1;
/// Marks the link before the first slot of a list; the rest is the list's number.
const FIRST: u32 = 1 << 31;

/// Lists through the wheel's links of slots.
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

    pub(super) fn insert(&mut self, arena: &mut Arena, at: u32) {
        let list = self.list_of(arena.slot(at).deadline().as_millis());
        let next = self.heads[list];
        arena.set_link(at, PREV, FIRST | list as u32);
        arena.set_link(at, NEXT, next);
        if next != NONE {
            arena.set_link(next, PREV, at);
        }
        self.heads[list] = at;
        self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
    }

    pub(super) fn unlink(&mut self, arena: &mut Arena, at: u32) {
        let (prev, next) = (arena.link(at, PREV), arena.link(at, NEXT));
        self.point(arena, prev, next);
        if next != NONE {
            arena.set_link(next, PREV, prev);
        }
    }

    /// The slot that was elsewhere now stands at `at`.
    pub(super) fn moved(&mut self, arena: &mut Arena, at: u32) {
        let (prev, next) = (arena.link(at, PREV), arena.link(at, NEXT));
        self.point(arena, prev, at);
        if next != NONE {
            arena.set_link(next, PREV, at);
        }
    }

    /// Makes what stands before point to `next`.
    fn point(&mut self, arena: &mut Arena, prev: u32, next: u32) {
        if prev & FIRST == 0 {
            arena.set_link(prev, NEXT, next);
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
    pub(super) fn due(&mut self, arena: &mut Arena, now: i64, steps: &mut usize) -> Option<u32> {
        while let Some((start, list)) = self.next_list()
            && start <= now
            && *steps > 0
        {
            *steps -= 1;
            self.time = start;
            let at = self.heads[list];
            if arena.slot(at).deadline().as_millis() <= now {
                return Some(at);
            }
            self.unlink(arena, at);
            self.insert(arena, at);
        }
        None
    }

    /// Holds every slot once, in a list that begins no later than its deadline.
    #[cfg(test)]
    pub(super) fn check(&self, arena: &Arena) {
        let mut seen = 0;
        for (list, head) in self.heads.iter().enumerate() {
            let (mut at, mut before) = (*head, FIRST | list as u32);
            let marked = self.occupied[list / SLOTS] >> (list % SLOTS) & 1 == 1;
            assert_eq!(marked, at != NONE);
            while at != NONE {
                assert_eq!(arena.link(at, PREV), before);
                (before, at) = (at, arena.link(at, NEXT));
                seen += 1;
            }
        }
        assert_eq!(seen, arena.len());
    }
}
