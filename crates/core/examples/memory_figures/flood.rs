//! A flood of anonymous sessions over some that have a subject, then more of those than there is room for.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use cloakroom_core::SubjectLimit;
use cloakroom_core::store::memory::MemoryStore;
use cloakroom_core::store::{ErrorKind, Store as _};

use super::process::{resident, resident_at_most};
use super::sample::{NOW, id, payload_of_any_size, ready, session};

/// Threads that create at once: an allocator keeps memory of each thread apart, and that must not add up.
const THREADS: u64 = 4;
/// Sessions with a subject that are there before the flood.
const NAMED: u64 = 1_000;
/// Refusals to wait for when nothing is left to evict.
const REFUSED: u64 = 1_000;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Flood {
    pub(crate) reserved: usize,
    /// The most that was ever charged, looked at every 256 creates.
    pub(crate) used_at_most: usize,
    /// The most RAM the process ever held, over what it held before there was a store.
    pub(crate) resident_at_most: usize,
    pub(crate) anonymous_created: u64,
    pub(crate) evicted: u64,
    /// Sessions with a subject that were there and are not, after the flood and at the end.
    pub(crate) lost: u64,
    /// Sessions with a subject, at the end.
    pub(crate) named: u64,
    /// Creates of such that were refused as [`ErrorKind::Full`], at the end.
    pub(crate) refused: u64,
    /// Creates that came out otherwise than they should.
    pub(crate) wrong: u64,
}

pub(crate) fn flood(reserve: usize, anonymous: u64) -> Flood {
    let before = resident();
    let store = MemoryStore::reserve(reserve);
    let create = |number: u64, named| {
        let record = session(number, named, payload_of_any_size(number));
        ready(store.create(record, SubjectLimit::default(), NOW)).map(|_| ())
    };
    let lost = |named: &[u64]| {
        let gone = named.iter().filter(|number| !is_there(&store, **number));
        gone.count() as u64
    };
    let (used_at_most, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for number in 0..NAMED {
        wrong.fetch_add(usize::from(create(number, true).is_err()), Relaxed);
    }
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, create, used_at_most, wrong) = (&store, &create, &used_at_most, &wrong);
            scope.spawn(move || {
                for number in (thread..anonymous).step_by(THREADS as usize) {
                    let failed = create(1 << 40 | number, false).is_err();
                    wrong.fetch_add(usize::from(failed), Relaxed);
                    if (number / THREADS).is_multiple_of(256) {
                        used_at_most.fetch_max(store.stats().used, Relaxed);
                    }
                }
            });
        }
    });
    let mut named: Vec<u64> = (0..NAMED).collect();
    let after_flood = lost(&named);
    let evicted = store.stats().evicted;
    let mut refused = 0;
    // A small one may still fit where a large one did not, so one refusal is not the end.
    for number in NAMED.. {
        match create(number, true) {
            Ok(()) => named.push(number),
            Err(error) if error.kind() == ErrorKind::Full => refused += 1,
            Err(_) => {
                wrong.fetch_add(1, Relaxed);
            }
        }
        used_at_most.fetch_max(store.stats().used, Relaxed);
        if refused == REFUSED {
            break;
        }
    }
    Flood {
        reserved: store.stats().reserved,
        used_at_most: used_at_most.into_inner(),
        refused,
        lost: after_flood + lost(&named),
        resident_at_most: resident_at_most() - before,
        anonymous_created: anonymous,
        evicted,
        named: named.len() as u64,
        wrong: wrong.into_inner() as u64,
    }
}

fn is_there(store: &MemoryStore, number: u64) -> bool {
    ready(store.load(id(number))).is_ok_and(|found| found.is_some())
}
