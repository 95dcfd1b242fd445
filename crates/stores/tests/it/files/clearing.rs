//! What a sweep clears besides sessions, and that what is cleared does not come back.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Expected, Kind, Put, Registry as _, ReplayGuard as _, Scope, Store as _, SubjectIndex as _,
};
use cloakroom_core::{SubjectLimit, Timestamp};
use cloakroom_stores::FilesStore;

use super::processes::walk;
use super::{NOW, folder, open};

async fn put(store: &FilesStore, name: &str, value: Option<Bytes>, now: Timestamp) -> u64 {
    let expires = value.as_ref().map(|_| now.plus(Duration::from_secs(60)));
    let put = store.put(Kind::Code, name, Expected::Anything, value, expires, now);
    match put.await.unwrap() {
        Put::Done(version) => version,
        other => panic!("{other:?}"),
    }
}

async fn sweep_all(store: &FilesStore, now: Timestamp) {
    while store.sweep(now, 100).await.unwrap().more {}
}

/// R-02: an entry that a sweep has cleared goes on above the versions it had, removed or past its time.
#[tokio::test(flavor = "multi_thread")]
async fn r_02_versions_go_on_after_a_sweep() {
    let folder = folder();
    let store = open(folder.path()).await;
    let other = open(folder.path()).await;
    let mut now = NOW;
    let mut last = 0;
    for round in 0..6 {
        for _ in 0..5 {
            last = put(&store, "code", Some(Bytes::from_static(b"x")), now).await;
        }
        if round % 2 == 0 {
            last = put(&other, "code", None, now).await;
        }
        now = now.plus(Duration::from_secs(2 * 60 * 60));
        sweep_all(&other, now).await;
        assert_eq!(
            walk(&folder.path().join("r")),
            0,
            "the entry is still there"
        );
        let anew = put(&store, "code", Some(Bytes::new()), now).await;
        assert!(anew > last, "version {anew} after {last}");
        last = anew;
    }
}

/// G-02, I-08: replay keys and not-befores are cleared once nothing depends on them, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_depends_on_is_cleared() {
    let folder = folder();
    let store = open(folder.path()).await;
    let files = |part: &str| walk(&folder.path().join(part));
    let soon = NOW.plus(Duration::from_secs(60));
    for key in 0..10_u32 {
        assert!(
            store
                .first_seen(&key.to_be_bytes(), soon, NOW)
                .await
                .unwrap()
        );
    }
    let limit = SubjectLimit {
        max: Some(1),
        on_full: OnFull::EndOldest,
    };
    for name in ["ann", "ben"] {
        let record = Sample::new(NOW).of(name, Epoch::ZERO).record();
        store.create(record, limit, NOW).await.unwrap();
        let subject = samples::subject(name);
        let scope = Scope::Subject { app: None, subject };
        store.revoke_all(scope, None, NOW).await.unwrap();
    }
    assert_eq!((files("p"), files("n")), (10, 2));
    sweep_all(&store, soon).await;
    assert_eq!((files("p"), files("n"), files("g")), (0, 2, 4));
    let old = NOW.plus(samples::HARD_CAP);
    sweep_all(&store, old).await;
    assert_eq!(
        files("n"),
        2,
        "a not-before is gone while a session may live that it denies"
    );
    sweep_all(&store, old.plus(Duration::from_secs(3 * 24 * 60 * 60))).await;
    assert_eq!(
        (files("n"), files("s"), files("u"), files("g")),
        (0, 0, 0, 0)
    );
    assert_eq!(files("q"), 0, "entries of the queue");
}

/// What a crash left half made is cleared when it is old, by the clock that wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_half_made_is_cleared() {
    let folder = folder();
    let store = open(folder.path()).await;
    let make = |name: &str, old: bool| {
        let path = folder.path().join("t").join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("d.0"), "half").unwrap();
        if old {
            age(&path);
        }
    };
    make("0123456789abcdef", true);
    make("fedcba9876543210", false);
    sweep_all(&store, NOW).await;
    let left = std::fs::read_dir(folder.path().join("t")).unwrap().count();
    assert_eq!(left, 1, "the old one goes, the young one stays");
}

fn age(path: &Path) {
    let status = std::process::Command::new("touch")
        .args(["-d", "2 hours ago"])
        .arg(path)
        .status();
    assert!(status.unwrap().success());
}
