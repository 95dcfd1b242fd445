//! A hash table that says what it takes, and what one more entry would make it take.

use hashbrown::HashTable;

use super::account::{Account, block};

/// Bytes of control data past the last bucket, at most (one SSE2 group), and the padding before it.
const TAIL: usize = 32;

/// Entries found by hash; the entry carries its key.
pub(super) struct Table<T> {
    inner: HashTable<T>,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self {
            inner: HashTable::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.inner.len()
    }

    /// What it takes.
    pub(super) fn size(&self) -> usize {
        if self.inner.capacity() == 0 {
            return 0;
        }
        block(self.inner.allocation_size())
    }

    /// What must be there for one more entry: while a table grows, the old one is still there.
    pub(super) fn needs(&self) -> usize {
        let buckets = self.inner.num_buckets();
        let most = if buckets <= 8 {
            buckets.saturating_sub(1)
        } else {
            buckets / 8 * 7
        };
        let grows = self.inner.len() >= self.inner.capacity();
        // Below half it clears out what was deleted, in place.
        if !grows || (self.inner.capacity() > 0 && self.inner.len() < most / 2) {
            return 0;
        }
        Self::size_of((buckets * 2).max(4))
    }

    fn size_of(buckets: usize) -> usize {
        block(buckets * (size_of::<T>() + 1) + TAIL)
    }

    pub(super) fn find(&self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&T> {
        self.inner.find(hash, is)
    }

    pub(super) fn find_mut(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&mut T> {
        self.inner.find_mut(hash, is)
    }

    /// Adds an entry; room for [`Table::needs`] was charged.
    pub(super) fn insert(&mut self, hash: u64, entry: T, hasher: impl Fn(&T) -> u64) {
        self.inner.insert_unique(hash, entry, hasher);
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.inner.iter()
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.inner.retain(keep);
    }

    /// Gives memory back after many removals, where there is room for the smaller table beside the large one; answers
    /// what it gave back of what was charged.
    pub(super) fn shrink(&mut self, account: &Account, hasher: impl Fn(&T) -> u64) -> usize {
        let buckets = self.inner.num_buckets();
        if buckets < 64 || self.inner.len() > buckets / 8 {
            return 0;
        }
        let before = self.size();
        let meanwhile = Self::size_of(buckets / 2);
        if !account.charge(meanwhile) {
            return 0;
        }
        self.inner.shrink_to(self.inner.len() * 2, hasher);
        account.refund(meanwhile);
        before - self.size()
    }
}
