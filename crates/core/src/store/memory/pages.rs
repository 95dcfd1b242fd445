//! Pages of one size, which slots are cut from, and a pool of those that are free.
//!
//! A page that was once taken from the system stays with the store: it serves the next sessions, of whatever size, in
//! whatever shard. So a store that is full does not allocate, and what the allocator makes of a flood's frees is no
//! concern. The pool is within the reservation: where room is needed for something else than slots, free pages go first.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::account::block;

pub(super) type Page = Box<[u8]>;

/// Bytes of a page for a reservation: large pages waste less at their end, small ones when a size has few slots. What
/// malloc adds makes a power of two of each.
pub(super) const fn page_size(reserve: usize) -> usize {
    const KIB: usize = 1024;
    if reserve < 256 * KIB {
        2 * KIB - 16
    } else if reserve < 64 * KIB * KIB {
        4 * KIB - 16
    } else {
        16 * KIB - 16
    }
}

/// Free pages.
pub(super) struct Pool {
    page: usize,
    free: Mutex<Vec<Page>>,
    /// Bytes in the free pages.
    kept: AtomicUsize,
}

impl Pool {
    pub(super) const fn new(page: usize) -> Self {
        Self {
            page,
            free: Mutex::new(Vec::new()),
            kept: AtomicUsize::new(0),
        }
    }

    /// What a page is charged.
    pub(super) const fn cost(&self) -> usize {
        block(self.page)
    }

    /// Bytes that free pages take.
    pub(super) fn kept(&self) -> usize {
        self.kept.load(Relaxed)
    }

    /// A page, whatever it contains.
    pub(super) fn take(&self) -> Page {
        let free = self.free.lock().pop();
        match free {
            Some(page) => {
                self.kept.fetch_sub(self.cost(), Relaxed);
                page
            }
            None => vec![0; self.page].into_boxed_slice(),
        }
    }

    /// Keeps a page that is no longer used. `grow` answers whether the list of free pages may take that many bytes for
    /// that many; where it may not, the page goes back to the system.
    pub(super) fn give(&self, page: Page, grow: impl FnOnce(usize, usize) -> bool) {
        let mut free = self.free.lock();
        if free.len() == free.capacity() {
            let next = (free.capacity() * 2).max(4);
            let entry = size_of::<Page>();
            if !grow(block(next * entry), block(free.capacity() * entry)) {
                return;
            }
            let more = next - free.len();
            free.reserve_exact(more);
        }
        free.push(page);
        self.kept.fetch_add(self.cost(), Relaxed);
    }

    /// Gives free pages of at least `bytes` back to the system, or all there are.
    pub(super) fn release(&self, bytes: usize) {
        let mut free = self.free.lock();
        let left = free.len() - bytes.div_ceil(self.cost()).min(free.len());
        let gone = free.split_off(left);
        self.kept.fetch_sub(gone.len() * self.cost(), Relaxed);
    }

    /// What the list of free pages takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        block(self.free.lock().capacity() * size_of::<Page>())
    }
}
