//! Two clients of a file server that does not fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::SubjectLimit;
use cloakroom_core::store::{Expect, Scope, Store as _, SubjectIndex as _, Updated};
use cloakroom_stores::FilesStore;

use super::faults::{STALE, world};
use super::faulty_fs::{Mount, Rates};
use super::{NOW, folder};
use crate::soak;

const NONE: SubjectLimit = SubjectLimit::NONE;

/// I-03: without faults but with a client that believes what it saw, a revocation denies once that is over.
#[tokio::test(flavor = "multi_thread")]
async fn i_03_a_revocation_reaches_a_client_that_believes_what_it_saw() {
    let world = world(STALE, Rates::NONE, 1).await;
    let (here, there) = (world.store(0), world.store(1));
    for _ in 0..5 {
        let epoch = here.epoch().await.unwrap();
        let record = Sample::new(NOW).of("ann", epoch).record();
        here.create(record.clone(), NONE, NOW).await.unwrap();
        let opens = async |store: &FilesStore| {
            let found = store.load(record.id).await.unwrap();
            found.is_some_and(|it| it.record.security.admitted >= it.not_before)
        };
        tokio::time::sleep(STALE * 2).await;
        assert!(opens(&there).await);
        let ann = Scope::Subject {
            app: None,
            subject: samples::subject("ann"),
        };
        here.revoke_all(ann, None, NOW).await.unwrap();
        assert!(
            !opens(&here).await,
            "it opens for the client that revoked it"
        );
        tokio::time::sleep(STALE * 2).await;
        assert!(!opens(&there).await, "it opens for the other client");
    }
}

/// S-08: a client that is told no to what it has done, because it asked twice, and still believes what was there before:
/// its writer draws no conclusion from that, and takes nothing away.
#[tokio::test(flavor = "multi_thread")]
async fn s_08_what_a_client_believes_proves_nothing() {
    let world = world(Duration::from_millis(40), Rates::MOVES_TWICE, 1).await;
    let (store, id) = (world.store(0), samples::id());
    let mut record = Sample::new(NOW).record();
    record.id = id;
    while store.create(record.clone(), NONE, NOW).await.is_err() {}
    let reading = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, reading) = (world.store(0), Arc::clone(&reading));
            tokio::spawn(async move {
                while reading.load(Ordering::SeqCst) {
                    drop(store.load(id).await);
                }
            })
        })
        .collect();
    let mut last = 0;
    for value in 1..=soak(40, 2000) as u64 {
        let change = samples::set("count", value);
        let answer = store
            .update(id, Expect::Security(1), change, NONE, NOW)
            .await;
        if let Ok(Updated::Done { record, .. }) = answer {
            assert!(record.version > last, "a version came again");
            last = record.version;
        }
    }
    reading.store(false, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    let found = world.store(1).load(id).await.unwrap().unwrap().record;
    assert!(found.version >= last && last > 0, "{last} was acknowledged");
}

/// The suite, its two handles through two mounts that believe nothing: what a file server is mounted like.
#[test]
fn soak_the_suite_through_two_mounts() {
    let folder = folder();
    let none = Duration::ZERO;
    let (here, again) = (
        Mount::of(folder.path(), none, 1),
        Mount::of(folder.path(), none, 2),
    );
    let cases = ["s_0", "s_1", "i_0", "g_0", "r_0"];
    let few = [
        "s_08_o",
        "s_12_r",
        "s_14_p",
        "i_02_the_index_a",
        "i_04",
        "g_01_o",
        "r_02_n",
    ];
    let which = if soak(0, 1) == 1 {
        &cases[..]
    } else {
        &few[..]
    };
    let which = which
        .iter()
        .map(|case| format!("files::conformance::{case}"));
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(which)
        .env(super::HERE, here.path())
        .env(super::AGAIN, again.path())
        .env_remove("CLOAKROOM_SOAK")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
    assert!(
        said.contains(" passed") && !said.contains(" 0 passed"),
        "{said}"
    );
}
