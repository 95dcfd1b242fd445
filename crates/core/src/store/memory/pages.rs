//! Pages of one size, which slots are cut from, and a pool of those that are free.
//!
//! A page that was once taken from the system stays with the store: it serves the next sessions, of whatever size, in
//! whatever shard. So a store that is full does not allocate, and what the allocator makes of a flood's frees is no
//! concern. Nor does it see single pages: they are cut from regions, between which nothing else stands. The pool is within
//! the reservation: where room is needed for something else than slots, free pages go first.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::BytesMut;
use parking_lot::Mutex;

use super::account::block;

/// Its part of a region; the region goes when all of its pages are gone.
pub(super) type Page = BytesMut;

/// Bytes of a page for a reservation: large pages waste less at their end, small ones when a size has few slots.
pub(super) const fn page_size(reserve: usize) -> usize {
    const KIB: usize = 1024;
    if reserve < 256 * KIB {
        2 * KIB
    } else if reserve < 64 * KIB * KIB {
        4 * KIB
    } else {
        16 * KIB
    }
}

/// Pages of a region: large enough that malloc takes it from the system by itself, where the store is not small. What was
/// never used of it is not resident.
const fn region(page: usize) -> usize {
    page * if page < 4 * 1024 { 4 } else { 64 }
}

/// Free pages.
pub(super) struct Pool {
    page: usize,
    free: Mutex<Free>,
    /// Bytes in the free pages.
    kept: AtomicUsize,
}

struct Free {
    pages: Vec<Page>,
    /// What no page was cut from yet.
    region: BytesMut,
}

impl Pool {
    pub(super) fn new(page: usize) -> Self {
        let free = Free {
            pages: Vec::new(),
            region: BytesMut::new(),
        };
        Self {
            page,
            free: Mutex::new(free),
            kept: AtomicUsize::new(0),
        }
    }

    /// What a page is charged.
    pub(super) const fn cost(&self) -> usize {
        self.page
    }

    /// Bytes that free pages take.
    pub(super) fn kept(&self) -> usize {
        self.kept.load(Relaxed)
    }

    /// A page, whatever it contains.
    pub(super) fn take(&self) -> Page {
        let mut free = self.free.lock();
        if let Some(page) = free.pages.pop() {
            self.kept.fetch_sub(self.page, Relaxed);
            return page;
        }
        if free.region.is_empty() {
            free.region = BytesMut::zeroed(region(self.page));
        }
        free.region.split_to(self.page)
    }

    /// Keeps a page that is no longer used. `grow` answers whether the list of free pages may take that many bytes for
    /// that many; where it may not, the page goes back to the system.
    pub(super) fn give(&self, page: Page, grow: impl FnOnce(usize, usize) -> bool) {
        let pages = &mut self.free.lock().pages;
        if pages.len() == pages.capacity() {
            let next = (pages.capacity() * 2).max(4);
            let entry = size_of::<Page>();
            if !grow(block(next * entry), block(pages.capacity() * entry)) {
                return;
            }
            let more = next - pages.len();
            pages.reserve_exact(more);
        }
        pages.push(page);
        self.kept.fetch_add(self.page, Relaxed);
    }

    /// Gives free pages of at least `bytes` back to the system, or all there are.
    pub(super) fn release(&self, bytes: usize) {
        let pages = &mut self.free.lock().pages;
        let left = pages.len() - bytes.div_ceil(self.page).min(pages.len());
        let gone = pages.len() - left;
        pages.truncate(left);
        self.kept.fetch_sub(gone * self.page, Relaxed);
    }

    /// What the list of free pages takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        block(self.free.lock().pages.capacity() * size_of::<Page>())
    }
}
