//! A revocation holds by its not-before, where indexes and queues missed what it means.

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_conformance::{Fixture, samples::subject};
use cloakroom_core::store::{Expect, Scope, Store as _, SubjectIndex as _, Touched, Updated};
use cloakroom_core::{Record, SubjectLimit, Timestamp};
use cloakroom_stores::RedisStore;

use super::single::Single;

const NONE: SubjectLimit = SubjectLimit::NONE;

/// Sessions of `ann`, in an application and not, and an anonymous one.
pub(super) async fn three(store: &RedisStore, now: Timestamp) -> [Record; 3] {
    let epoch = store.epoch().await.unwrap();
    let own = Sample::new(now).of("ann", epoch);
    let mut anonymous = own.clone().app("shop").record();
    anonymous.security.subject = None;
    let records = [own.record(), own.app("shop").record(), anonymous];
    for record in &records {
        store.create(record.clone(), NONE, now).await.unwrap();
    }
    records
}

pub(super) fn of_ann(app: Option<&str>) -> Scope {
    Scope::Subject {
        app: app.map(samples::app),
        subject: subject("ann"),
    }
}

/// Whether it opens; where it does not, nothing else is done with it either, by a handle that knows it and one that does
/// not.
pub(super) async fn opens(stores: [&RedisStore; 2], record: &Record, now: Timestamp) -> bool {
    let mut opens = Vec::new();
    for store in stores {
        let loaded = store.load(record.id).await.unwrap();
        let open = loaded.is_some_and(|l| l.record.security.admitted >= l.not_before);
        let change = samples::set("a", 1);
        let expect = Expect::Security(1);
        let updated = store.update(record.id, expect, change, NONE, now).await;
        assert_eq!(
            matches!(updated, Ok(Updated::Done { .. })),
            open,
            "{updated:?}"
        );
        assert_eq!(matches!(updated, Ok(Updated::Gone)), !open, "{updated:?}");
        let touched = store.touch(record.id, record.activity, now).await.unwrap();
        assert_eq!(touched == Touched::Done, open, "{touched:?}");
        opens.push(open);
    }
    assert_eq!(opens[0], opens[1]);
    opens[0]
}

#[tokio::test]
async fn by_one_server() {
    let fixture = Single::open().await;
    let (store, second) = (fixture.store(), fixture.second_store().unwrap());
    let now = fixture.now();
    let scopes = [
        (of_ann(Some("shop")), [true, false, true]),
        (of_ann(None), [false, false, true]),
        (Scope::App(samples::app("shop")), [true, false, false]),
        (Scope::Everything, [false, false, false]),
    ];
    for (scope, wanted) in scopes {
        let records = three(&store, now).await;
        for record in &records {
            assert!(opens([&store, &second], record, now).await);
        }
        fixture.lose_indexes();
        store.revoke_all(scope.clone(), None, now).await.unwrap();
        for (record, wanted) in records.iter().zip(wanted) {
            let open = opens([&store, &second], record, now).await;
            assert_eq!(open, wanted, "after {scope:?}");
        }
    }
}

/// Where the server gave a key back before any sweep came by, the session is named all the same, and leaves the index.
#[tokio::test]
async fn what_the_server_expired_is_swept_and_healed() {
    let fixture = Single::open().await;
    let (store, now) = (fixture.store(), fixture.now());
    let [lost, kept, _] = three(&store, now).await;
    fixture.expire(lost.id);
    assert!(store.load(lost.id).await.unwrap().is_none());
    let listed = store.list(of_ann(None), None, 10, now).await.unwrap();
    assert_eq!(listed.records.len(), 1);
    assert_eq!(listed.records[0].id, kept.id);
    let removed = store.sweep(now, 10).await.unwrap().removed;
    assert!(removed.is_empty(), "its deadline is not past");
    fixture.advance(samples::IDLE).await;
    let mut swept = Vec::new();
    loop {
        let some = store.sweep(fixture.now(), 2).await.unwrap();
        swept.extend(some.removed);
        if !some.more {
            break;
        }
    }
    let subjects: Vec<_> = swept.iter().map(|gone| gone.subject.is_some()).collect();
    assert_eq!(swept.len(), 3, "{swept:?}");
    assert_eq!(
        subjects.iter().filter(|known| **known).count(),
        1,
        "{swept:?}"
    );
    assert!(swept.iter().all(|gone| gone.deadline == lost.deadline()));
    assert_eq!(fixture.entries("ann"), 0, "entries left in the index");
}

/// Many writers of one session, from two handles: by version and by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_64_writers_lose_nothing() {
    let fixture = Single::open().await;
    let handles = [fixture.store(), fixture.second_store().unwrap()];
    let now = fixture.now();
    let record = Sample::new(now).record();
    handles[0].create(record.clone(), NONE, now).await.unwrap();
    let each = crate::soak(8, 200) as u64;
    let writers = (0..64_usize).map(|number| {
        let store = std::sync::Arc::clone(&handles[number % 2]);
        tokio::spawn(async move {
            let name = format!("own {number}");
            for round in 1..=each {
                let change = samples::set(&name, round);
                let expect = Expect::Security(1);
                let named = store.update(record.id, expect, change, NONE, now).await;
                assert!(matches!(named, Ok(Updated::Done { .. })), "{named:?}");
                let mut current = store.load(record.id).await.unwrap().unwrap().record;
                loop {
                    let count: u64 = current.data.read("count").unwrap().unwrap_or(0);
                    let change = samples::set("count", count + 1);
                    let expect = Expect::Version(current.version);
                    match store
                        .update(record.id, expect, change, NONE, now)
                        .await
                        .unwrap()
                    {
                        Updated::Done { .. } => break,
                        Updated::Conflict(newer) => current = newer.record,
                        other => panic!("{other:?}"),
                    }
                }
            }
        })
    });
    for writer in futures_util::future::join_all(writers).await {
        writer.unwrap();
    }
    let left = handles[1].load(record.id).await.unwrap().unwrap().record;
    assert_eq!(left.data.read::<u64>("count").unwrap(), Some(64 * each));
    assert_eq!(left.version, 1 + 128 * each, "every write counted once");
}
