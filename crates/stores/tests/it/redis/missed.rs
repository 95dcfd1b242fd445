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
