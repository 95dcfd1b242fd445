//! Which sessions a subject has: the places of their ids ([`super::ids`]) by the hash of his name.
//!
//! Two subjects may share a hash, and two sessions a place, so whoever asks compares the name in the record. An entry
//! names no slot: slots move under other locks than this.

use super::account::Account;
use super::ordered::Ordered;

/// A shard of the index.
pub(super) struct Index {
    members: Ordered,
    /// Bits of the hash that chose this shard.
    bits: u32,
}

impl Index {
    pub(super) fn new(segments: usize, bits: u32) -> Self {
        Self {
            members: Ordered::new(segments),
            bits,
        }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.members.size()
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn needs(&self, owner: u32) -> usize {
        self.members.needs(owner << self.bits)
    }

    /// How many sessions there are of subjects with this hash.
    pub(super) fn count(&self, owner: u32) -> usize {
        self.members.values(owner << self.bits).count()
    }

    /// Where sessions of subjects with this hash are; each place once.
    pub(super) fn of(&self, owner: u32) -> Vec<u32> {
        let mut places: Vec<_> = self.members.values(owner << self.bits).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Adds a session. `charged` covers [`Index::needs`]; what is over goes back.
    pub(super) fn add(&mut self, account: &Account, charged: usize, owner: u32, place: u32) {
        let taken = self.members.insert(owner << self.bits, place);
        debug_assert!(taken <= charged, "{taken} bytes taken, {charged} charged");
        account.refund(charged - taken);
    }

    pub(super) fn remove(&mut self, account: &Account, owner: u32, place: u32) {
        let removed = self.members.remove(account, owner << self.bits, place);
        debug_assert!(removed, "a session of a subject is in the index");
    }
}
