//! Where a session id is looked for: 32 bits of a keyed hash of it, its *place*.
//!
//! The first bits of a place choose the shard, the others the entry in it. Ids are random, but not all of them are ours
//! (they may be carried over from another store), so the hash has a key that nobody knows.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;

use crate::token::SessionId;

#[derive(Clone)]
pub(super) struct Ids {
    hasher: RandomState,
    /// Bits that choose the shard.
    bits: u32,
}

impl Ids {
    /// For `shards`, a power of two.
    pub(super) fn new(shards: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            bits: shards.trailing_zeros(),
        }
    }

    pub(super) fn place(&self, id: SessionId) -> u32 {
        (self.hasher.hash_one(id) >> 32) as u32
    }

    /// The shard of a place, or of the hash of a subject.
    pub(super) const fn shard(&self, hash: u32) -> usize {
        ((hash as u64) << self.bits >> 32) as usize
    }

    /// What is left of a place in its shard.
    pub(super) const fn in_shard(&self, place: u32) -> u32 {
        place << self.bits
    }

    pub(super) const fn bits(&self) -> u32 {
        self.bits
    }
}
