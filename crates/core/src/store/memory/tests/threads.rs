//! Parallel callers: the limit holds, revocations win, what is charged is what is held.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::change::Change;
use crate::policy::OnFull;
use crate::store::{Expect, Scope, SubjectIndex as _};

const THREADS: u64 = 8;

fn everywhere(name: &str) -> Scope {
    Scope::Subject {
        app: None,
        subject: subject(name),
    }
}

/// S-14: parallel logins of one subject, by create and by update, never leave more than the limit, and no list ever shows
/// more.
#[test]
fn parallel_logins_keep_the_limit() {
    let store = MemoryStore::reserve(16 * crate::store::memory::MIB);
    let limit = SubjectLimit {
        max: Some(3),
        on_full: OnFull::EndOldest,
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for round in 0..200 {
                    let number = thread * 1000 + round;
                    if round % 2 == 0 {
                        ready(store.create(named(number, "ann"), limit, NOW)).expect("an answer");
                    } else {
                        create(store, anonymous(number)).expect("room");
                        let change = Change {
                            security: Some(named(number, "ann").security),
                            ..Change::default()
                        };
                        let expect = Expect::Security(1);
                        ready(store.update(id(number), expect, change, limit, NOW))
                            .expect("an answer");
                    }
                    let listed =
                        ready(store.list(everywhere("ann"), None, 100, NOW)).expect("a list");
                    assert!(listed.records.len() <= 3, "{}", listed.records.len());
                }
            });
        }
    });
    let listed = ready(store.list(everywhere("ann"), None, 100, NOW)).expect("a list");
    assert_eq!(listed.records.len(), 3);
    store.audit();
}

/// `max_sessions` holds at every moment, in both modes; with one place, whoever comes first has it.
#[test]
fn parallel_creates_keep_max_sessions() {
    for (max, full) in [
        (1, Full::Reject),
        (1, Full::Evict),
        (7, Full::Reject),
        (7, Full::Evict),
    ] {
        let store = MemoryStore::builder()
            .reserve(1 << 20)
            .max_sessions(max)
            .full(full)
            .with_shards(4);
        let done = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (store, done) = (&store, &done);
                scope.spawn(move || {
                    for round in 0..300 {
                        let number = thread * 1000 + round;
                        match create(store, named(number, &format!("subject {number}"))) {
                            Ok(_) => done.fetch_add(1, Ordering::Relaxed),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::Full);
                                0
                            }
                        };
                        assert!(store.stats().sessions <= max);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), max as u64, "{full:?}");
        assert_eq!((store.stats().sessions, store.stats().evicted), (max, 0));
        store.audit();
    }
}

/// A place that comes free is taken exactly once, and what was anonymous makes way for a login.
#[test]
fn the_one_place_changes_hands_in_parallel() {
    let store = MemoryStore::builder()
        .reserve(1 << 20)
        .max_sessions(1)
        .build();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for round in 0..300 {
                    let number = thread * 1000 + round;
                    let made = create(store, anonymous(number));
                    assert!(
                        made.is_ok(),
                        "an anonymous one gives way to the next: {made:?}"
                    );
                    assert!(store.stats().sessions <= 1);
                    ready(store.delete(id(number))).expect("an answer");
                }
            });
        }
    });
    create(&store, anonymous(1)).expect("room");
    create(&store, named(2, "ann")).expect("in its place");
    assert_full(create(&store, named(3, "bob")));
    store.audit();
}

/// Everything at once, in a store that is always full: nothing hangs, and the account is right at the end.
#[test]
fn a_storm_in_a_full_store_keeps_the_account() {
    let fixed = super::super::state::State::fixed(0, 4);
    let store = MemoryStore::builder()
        .reserve(fixed + 60_000)
        .with_shards(4);
    let most = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, most) = (&store, &most);
            scope.spawn(move || storm(store, thread, most));
        }
    });
    store.audit();
    assert!(most.into_inner() <= store.stats().reserved as u64);
}

fn storm(store: &MemoryStore, thread: u64, most: &AtomicU64) {
    let mut random = thread * 7919 + 1;
    for _ in 0..1500 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let number = (random >> 33) % 300;
        let name = ["ann", "bob", "eve"][(random >> 20) as usize % 3];
        let limit = SubjectLimit {
            max: Some(4),
            on_full: OnFull::EndOldest,
        };
        let size = (random >> 50) as usize % 700;
        match (random >> 40) % 12 {
            0..4 => drop(create(store, record(number, None, size, IDLE))),
            4 | 5 => drop(ready(store.create(named(number, name), limit, NOW))),
            6 => drop(ready(store.delete(id(number)))),
            7 => drop(ready(store.load(id(number)))),
            8 => drop(ready(store.revoke_all(
                everywhere(name),
                Some(id(number)),
                NOW,
            ))),
            9 => drop(ready(store.sweep(NOW.plus(IDLE), 2))),
            _ => {
                let change = Change {
                    security: size.is_multiple_of(2).then(|| named(number, name).security),
                    edits: sized(size),
                    ..Change::default()
                };
                let expect = Expect::Security(1);
                drop(ready(store.update(id(number), expect, change, limit, NOW)));
            }
        }
        most.fetch_max(store.stats().used as u64, Ordering::Relaxed);
    }
}
