//! Who goes when it is full, and who never does.

use super::*;
use crate::change::Change;
use crate::record::Activity;
use crate::store::{Expect, ReplayGuard as _, Scope, SubjectIndex as _, Touched, Updated};

/// A store with room for about `sessions` sessions of these tests.
fn room_for(sessions: usize) -> MemoryStore {
    MemoryStore::reserve(super::super::state::State::fixed(0, 1) + 6144 + sessions * 400)
}

/// Fills it with anonymous sessions until one has to go; answers how many fit.
fn fill(store: &MemoryStore) -> u64 {
    for number in 0.. {
        create(store, anonymous(number)).expect("evicts");
        store.audit();
        if store.stats().evicted > 0 {
            return number;
        }
    }
    unreachable!()
}

#[test]
fn the_least_recently_used_goes_first() {
    let store = room_for(30);
    let last = fill(&store);
    assert!(last > 20, "{last} fit");
    assert!(
        !is_there(&store, 0),
        "the first was the least recently used"
    );
    // Loaded, written and touched: all three are uses.
    assert!(is_there(&store, 1));
    let change = Change::of_data(sized(100));
    let updated = ready(store.update(id(2), Expect::Version(1), change, SubjectLimit::NONE, NOW));
    assert!(matches!(updated, Ok(Updated::Done { .. })));
    let activity = Activity {
        last_seen: NOW,
        idle_deadline: NOW.plus(IDLE),
    };
    let touched = ready(store.touch(id(3), activity, NOW)).expect("a touch");
    assert_eq!(touched, Touched::Done);
    let evicted = store.stats().evicted;
    create(&store, anonymous(1000)).expect("evicts");
    assert_eq!(store.stats().evicted, evicted + 1, "no more than is needed");
    assert!(!is_there(&store, 4));
    for kept in [1, 2, 3, 5] {
        assert!(is_there(&store, kept), "{kept}");
    }
}

/// Over several shards too it is the order of the whole store.
#[test]
fn the_order_of_use_spans_shards() {
    let fixed = super::super::state::State::fixed(0, 4);
    let store = MemoryStore::builder()
        .reserve(fixed + 100_000)
        .max_sessions(40)
        .with_shards(4);
    for number in 0..60 {
        create(&store, anonymous(number)).expect("evicts");
        store.audit();
    }
    assert_eq!(store.stats().evicted, 20);
    for number in 0..60 {
        assert_eq!(is_there(&store, number), number >= 20, "{number}");
    }
}

#[test]
fn one_with_a_subject_never_goes() {
    let store = room_for(30);
    let mut kept = 0;
    while create(&store, named(kept, "ann")).is_ok() {
        kept += 1;
        store.audit();
    }
    assert!(kept > 15, "{kept} fit");
    assert_full(create(&store, named(1000, "bob")));
    assert_full(create(&store, anonymous(1001)));
    assert_full(ready(store.first_seen(b"key", NOW.plus(IDLE), NOW)));
    store.audit();
    assert_eq!(store.stats().evicted, 0);
    assert!((0..kept).all(|number| is_there(&store, number)));
}

#[test]
fn a_flood_of_anonymous_sessions_costs_no_login() {
    let store = room_for(60);
    for number in 0..20 {
        create(&store, named(number, "ann")).expect("room");
    }
    for number in 1000..3000 {
        create(&store, anonymous(number)).expect("evicts");
    }
    store.audit();
    assert!((0..20).all(|number| is_there(&store, number)));
    // And a login still finds room among them.
    create(&store, named(20, "ann")).expect("evicts");
    store.audit();
}

#[test]
fn what_expired_goes_before_what_lives() {
    let store = room_for(30);
    let short = Duration::from_secs(60);
    create(&store, record(0, Some("ann"), 100, short)).expect("room");
    for number in 1.. {
        let later = NOW.plus(short);
        let created = ready(store.create(anonymous(number), SubjectLimit::NONE, later));
        assert!(matches!(created, Ok(Created::Done(_))));
        store.audit();
        if !is_there(&store, 0) {
            break;
        }
        assert_eq!(
            store.stats().evicted,
            0,
            "a live one went before one that was over"
        );
    }
    assert_eq!(store.stats().evicted, 0);
}

#[test]
fn reject_evicts_nobody() {
    let store = MemoryStore::builder()
        .reserve(1 << 20)
        .max_sessions(2)
        .full(Full::Reject)
        .build();
    create(&store, anonymous(0)).expect("room");
    create(&store, anonymous(1)).expect("room");
    assert_full(create(&store, named(2, "ann")));
    assert_eq!(store.stats().evicted, 0);
    // What is over makes room all the same.
    let later = NOW.plus(IDLE);
    let created = ready(store.create(anonymous(3), SubjectLimit::NONE, later));
    assert!(matches!(created, Ok(Created::Done(_))));
}

#[test]
fn max_sessions_is_kept() {
    let store = MemoryStore::builder()
        .reserve(1 << 20)
        .max_sessions(1)
        .build();
    create(&store, anonymous(0)).expect("room");
    create(&store, named(1, "ann")).expect("evicts the anonymous one");
    assert!(!is_there(&store, 0));
    assert_full(create(&store, named(2, "bob")));
    assert!(is_there(&store, 1));
    ready(store.delete(id(1))).expect("deleted");
    create(&store, named(2, "bob")).expect("room again");
}

#[test]
fn a_write_that_can_never_fit_evicts_nobody() {
    let store = room_for(30);
    for number in 0..10 {
        create(&store, anonymous(number)).expect("room");
    }
    let change = Change::of_data(sized(1 << 20));
    let updated = ready(store.update(id(0), Expect::Version(1), change, SubjectLimit::NONE, NOW));
    assert_full(updated);
    assert_full(create(&store, record(99, None, 1 << 20, IDLE)));
    assert_eq!(store.stats().evicted, 0);
    assert_eq!(ready(store.load(id(0))).unwrap().unwrap().record.version, 1);
    store.audit();
}

#[test]
fn a_record_that_grows_evicts_others_but_not_itself() {
    let store = room_for(30);
    let last = fill(&store);
    let change = Change::of_data(sized(3000));
    let updated = ready(store.update(id(1), Expect::Version(1), change, SubjectLimit::NONE, NOW));
    assert!(matches!(updated, Ok(Updated::Done { .. })));
    assert!(is_there(&store, 1) && is_there(&store, last));
    assert!(store.stats().evicted > 5);
    store.audit();
}

/// I-03 also where no byte is left: the revocation is carried out, and only logins under way have to be proven again.
#[test]
fn a_revocation_needs_no_room() {
    let store = room_for(30);
    let mut kept = 0;
    while create(&store, named(kept, "ann")).is_ok() {
        kept += 1;
    }
    let before = ready(store.epoch()).unwrap();
    for number in 0..40 {
        let scope = Scope::Subject {
            app: None,
            subject: subject(&format!("nobody {number} with quite a long name")),
        };
        let revoked = ready(store.revoke_all(scope, None, NOW)).expect("carried out");
        assert_eq!(revoked.count, 0);
        store.audit();
    }
    assert!((0..kept).all(|number| is_there(&store, number)));
    ready(store.delete(id(0))).unwrap();
    let mut late = record(1000, Some("nobody 39 with quite a long name"), 10, IDLE);
    late.security.admitted = before;
    let created = create(&store, late).expect("an answer");
    assert!(matches!(
        created,
        Created::Refused(crate::store::Refusal::Revoked)
    ));
}

/// The session that room is made for may be the one that was used least recently; then the next one goes.
#[test]
fn the_spared_one_does_not_hide_the_others() {
    let store = room_for(30);
    fill(&store);
    let evicted = store.stats().evicted;
    for number in 0..20 {
        let scope = Scope::Subject {
            app: None,
            subject: subject(&format!("{number:0>255}")),
        };
        // The first was evicted, so the second is the oldest.
        ready(store.revoke_all(scope, Some(id(1)), NOW)).expect("carried out");
        store.audit();
    }
    assert!(store.stats().evicted > evicted, "room was made");
    assert!(is_there(&store, 1));
}

/// S-13, lazily: a touch moves nothing in the wheel, and the sweep still finds each session at its deadline.
#[test]
fn a_sweep_follows_touches() {
    let store = MemoryStore::reserve(1 << 20);
    for number in 0..50 {
        let idle = Duration::from_millis(1 + number * 977);
        create(&store, record(number, None, 10, idle)).expect("room");
        let activity = Activity {
            last_seen: NOW,
            idle_deadline: NOW.plus(Duration::from_millis(60_000 + number)),
        };
        ready(store.touch(id(number), activity, NOW)).unwrap();
    }
    let at = |millis| NOW.plus(Duration::from_millis(millis));
    assert_eq!(ready(store.sweep(at(59_999), 100)).unwrap().removed, []);
    let swept = ready(store.sweep(at(60_024), 100)).unwrap();
    assert_eq!((swept.removed.len(), swept.more), (25, false));
    let swept = ready(store.sweep(at(60_049), 10)).unwrap();
    assert_eq!((swept.removed.len(), swept.more), (10, true));
    store.audit();
}

/// A clock that goes back, or starts in 1970, loses nothing and finds what is due later.
#[test]
fn deadlines_of_all_times_are_found() {
    let store = MemoryStore::reserve(1 << 20);
    let times = [
        i64::MIN,
        -1,
        0,
        1,
        63,
        64,
        4095,
        1 << 20,
        1 << 47,
        1 << 48,
        i64::MAX,
    ];
    for (number, millis) in times.into_iter().enumerate() {
        let mut record = anonymous(number as u64);
        record.activity.idle_deadline = Timestamp::from_millis(millis);
        record.security.absolute_deadline = Timestamp::NEVER;
        record.security.hard_cap = Timestamp::NEVER;
        create(&store, record).expect("room");
        store.audit();
    }
    for (number, millis) in times.into_iter().enumerate() {
        let swept = ready(store.sweep(Timestamp::from_millis(millis), 100)).unwrap();
        let gone: Vec<_> = swept.removed.iter().map(|gone| gone.id).collect();
        let wanted: Vec<_> = match number {
            // The wheel begins in 1970.
            0 | 1 => vec![],
            2 => vec![id(0), id(1), id(2)],
            number => vec![id(number as u64)],
        };
        assert_eq!(gone.len(), wanted.len(), "at {millis}: {gone:?}");
        assert!(wanted.iter().all(|id| gone.contains(id)), "at {millis}");
    }
}
