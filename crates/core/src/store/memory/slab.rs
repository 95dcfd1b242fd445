//! Slots without holes: the last slot moves into a freed place, so memory comes back in whole chunks.

use std::mem::size_of;

use super::account::block;
use crate::token::SessionId;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;
/// Slots of one chunk. A chunk is never moved, so growth needs no second copy of everything.
const CHUNK: usize = 64;
const CHUNK_BYTES: usize = block(CHUNK * size_of::<Slot>());

/// Neighbours in a list through the slots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    pub(super) prev: u32,
    pub(super) next: u32,
}

impl Links {
    pub(super) const FREE: Self = Self {
        prev: NONE,
        next: NONE,
    };
}

/// One session, or one replay key.
pub(super) struct Slot {
    pub(super) id: SessionId,
    /// The packed record.
    pub(super) bytes: Box<[u8]>,
    /// Hash of its subject; 0 for an anonymous session.
    pub(super) owner: u32,
    /// When it was last used, counted in uses of the whole store.
    pub(super) stamp: u32,
    /// Its place among anonymous sessions by use.
    pub(super) queue: Links,
    /// Its place in the wheel.
    pub(super) wheel: Links,
}

#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Slot>>,
    len: usize,
}

impl Slab {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What the slots take, their records apart.
    pub(super) fn size(&self) -> usize {
        self.chunks.len() * CHUNK_BYTES + block(self.chunks.capacity() * size_of::<Vec<Slot>>())
    }

    /// What must be there for one more slot.
    pub(super) fn needs(&self) -> usize {
        if self.len < self.chunks.len() * CHUNK {
            return 0;
        }
        let list = if self.chunks.len() < self.chunks.capacity() {
            0
        } else {
            block(Self::grown(self.chunks.capacity()) * size_of::<Vec<Slot>>())
        };
        CHUNK_BYTES + list
    }

    fn grown(capacity: usize) -> usize {
        (capacity + capacity / 2).max(4)
    }

    /// Adds a slot; room for [`Slab::needs`] was charged.
    pub(super) fn push(&mut self, slot: Slot) -> u32 {
        if self.len == self.chunks.len() * CHUNK {
            if self.chunks.len() == self.chunks.capacity() {
                let more = Self::grown(self.chunks.capacity()) - self.chunks.len();
                self.chunks.reserve_exact(more);
            }
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let at = self.len;
        self.chunks[at / CHUNK].push(slot);
        self.len += 1;
        at as u32
    }

    /// Takes a slot out; the last one, if it was another, now stands in its place.
    pub(super) fn swap_remove(&mut self, at: u32) -> Option<Slot> {
        let last = self.chunks.last_mut()?.pop()?;
        self.len -= 1;
        let removed = if at as usize == self.len {
            last
        } else {
            std::mem::replace(self.get_mut(at), last)
        };
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
            if self.chunks.len() < self.chunks.capacity() / 4 {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        }
        Some(removed)
    }

    pub(super) fn get(&self, at: u32) -> &Slot {
        &self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    pub(super) fn get_mut(&mut self, at: u32) -> &mut Slot {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.chunks.iter().flatten()
    }
}
