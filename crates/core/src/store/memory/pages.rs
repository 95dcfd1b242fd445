//! Pages of one size, which slots are cut from, and a pool of those that are free.
//!
//! A page that was once taken from the system stays with the store: it serves the next sessions, of whatever size, in
//! whatever shard. So a store that is full does not allocate, and what the allocator makes of a flood's frees is no
//! concern. The pool is within the reservation: where room is needed for something else than slots, free pages go first.
//! A few of those are set aside instead of given back, because the next moment may want them again.
//!
//! Each page is an allocation of its own. Cut from larger regions they would not come free before all of their region do,
//! and a flood on several threads would take more and more.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::account::block;

/// Bytes that slots are cut from.
pub(super) type Page = Box<[u8]>;

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

/// Free pages.
pub(super) struct Pool {
    page: usize,
    free: Mutex<Free>,
    /// Bytes in the free pages.
    kept: AtomicUsize,
}

struct Free {
    pages: Vec<Page>,
    /// Set aside: not within the reservation, so at most [`SET_ASIDE`] of it.
    aside: Vec<Page>,
    aside_max: usize,
}

/// Which part of the reservation the pages take at most that are set aside.
const SET_ASIDE: usize = 256;

impl Pool {
    pub(super) fn new(reserve: usize, page: usize) -> Self {
        let free = Free {
            pages: Vec::new(),
            aside: Vec::new(),
            aside_max: reserve / SET_ASIDE / page,
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
        let aside = free.aside.pop();
        drop(free);
        aside.unwrap_or_else(|| vec![0; self.page].into())
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

    /// Gives up free pages of at least `bytes`, or all there are.
    pub(super) fn release(&self, bytes: usize) {
        let mut free = self.free.lock();
        let Free {
            pages,
            aside,
            aside_max,
        } = &mut *free;
        let left = pages.len() - bytes.div_ceil(self.page).min(pages.len());
        let gone = pages.len() - left;
        let room = aside_max.saturating_sub(aside.len()).min(gone);
        aside.extend(pages.drain(left..left + room));
        pages.truncate(left);
        self.kept.fetch_sub(gone * self.page, Relaxed);
    }

    /// What the list of free pages takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        block(self.free.lock().pages.capacity() * size_of::<Page>())
    }
}
