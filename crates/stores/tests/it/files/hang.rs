//! A file server that does not answer: errors within the deadline, a bounded number of threads, and back by itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::SubjectLimit;
use cloakroom_core::store::{ErrorKind, Expect, Store as _};
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::Options;
use cloakroom_stores::files::hook::{Hook, Moment};

use super::{NOW, folder, open};

const THREADS: usize = 4;

/// S-17: a mount that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn s_17_a_mount_that_hangs_is_unavailable_and_comes_back() {
    let folder = folder();
    let hangs = Arc::new(AtomicBool::new(false));
    let stuck = Arc::new(AtomicUsize::new(0));
    let mut options = Options::at(folder.path());
    options.deadline = Duration::from_millis(100);
    options.threads = THREADS;
    let (hang, count) = (Arc::clone(&hangs), Arc::clone(&stuck));
    options.hook = Hook::new(move |step| {
        if hang.load(Ordering::SeqCst) && step.moment == Moment::Before {
            count.fetch_add(1, Ordering::SeqCst);
            while hang.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            count.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    });
    let store = Arc::new(FilesStore::connect(options).await.unwrap());
    let record = Sample::new(NOW).record();
    store
        .create(record.clone(), SubjectLimit::NONE, NOW)
        .await
        .unwrap();

    hangs.store(true, Ordering::SeqCst);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, id) = (Arc::clone(&store), record.id);
        tasks.spawn(async move {
            let change = samples::set("a", 1);
            let none = SubjectLimit::NONE;
            let answer = store
                .update(id, Expect::Security(1), change, none, NOW)
                .await;
            assert_eq!(answer.map(drop).unwrap_err().kind(), ErrorKind::Unavailable);
            let answer = store.load(id).await;
            assert_eq!(answer.map(drop).unwrap_err().kind(), ErrorKind::Unavailable);
        });
    }
    tasks.join_all().await;
    assert!(
        stuck.load(Ordering::SeqCst) <= THREADS,
        "more threads hang than allowed"
    );
    // From here on it is known: most are refused without a wait.
    let quick = async {
        let mut quick = 0;
        for _ in 0..20 {
            let begun = Instant::now();
            store.load(record.id).await.map(drop).unwrap_err();
            quick += u32::from(begun.elapsed() < Duration::from_millis(90));
        }
        quick
    };
    assert!(
        quick.await >= 10,
        "callers wait for a file server that is known to hang"
    );

    hangs.store(false, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(30);
    let found = loop {
        match store.load(record.id).await {
            Ok(found) => break found.unwrap().record,
            Err(_) => assert!(Instant::now() < deadline, "it does not come back"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // None of the updates that were refused was done later.
    assert_eq!(*found, record);
}

/// Each failure of the file system has its kind.
#[tokio::test(flavor = "multi_thread")]
async fn failures_have_their_kinds() {
    let cases = [
        (io::ErrorKind::StorageFull, ErrorKind::Full),
        (io::ErrorKind::QuotaExceeded, ErrorKind::Full),
        (io::ErrorKind::PermissionDenied, ErrorKind::Denied),
        (io::ErrorKind::ReadOnlyFilesystem, ErrorKind::Denied),
        (
            io::ErrorKind::StaleNetworkFileHandle,
            ErrorKind::Unavailable,
        ),
        (io::ErrorKind::TimedOut, ErrorKind::Unavailable),
        (io::ErrorKind::Other, ErrorKind::Unavailable),
    ];
    for (fails, kind) in cases {
        let folder = folder();
        let other = open(folder.path()).await;
        let record = Sample::new(NOW).record();
        other
            .create(record.clone(), SubjectLimit::NONE, NOW)
            .await
            .unwrap();
        let failing = Arc::new(AtomicBool::new(false));
        let now = Arc::clone(&failing);
        let hook = Hook::new(move |step| match step.name {
            "write" | "rename" if now.load(Ordering::SeqCst) => Err(fails.into()),
            _ => Ok(()),
        });
        let store = super::open_with(folder.path(), hook).await;
        failing.store(true, Ordering::SeqCst);
        let change = samples::set("a", 1);
        let none = SubjectLimit::NONE;
        let answer = store
            .update(record.id, Expect::Version(1), change, none, NOW)
            .await;
        assert_eq!(
            answer.map(drop).unwrap_err().kind(),
            kind,
            "update at {fails:?}"
        );
        let answer = store.create(Sample::new(NOW).record(), none, NOW).await;
        assert_eq!(
            answer.map(drop).unwrap_err().kind(),
            kind,
            "create at {fails:?}"
        );
        let answer = store.delete(record.id).await;
        assert_eq!(
            answer.map(drop).unwrap_err().kind(),
            kind,
            "delete at {fails:?}"
        );
        assert_eq!(
            *store.load(record.id).await.unwrap().unwrap().record,
            record
        );
    }
}

/// A folder that is no store is not made one where that is not wished, or where something else lies in it.
#[tokio::test]
async fn only_an_empty_folder_becomes_a_store() {
    let folder = folder();
    let mut options = Options::at(folder.path());
    options.create = false;
    let error = FilesStore::connect(options).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    std::fs::write(folder.path().join("letter.txt"), "dear ann").unwrap();
    let error = FilesStore::connect(Options::at(folder.path()))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

/// S-17: the folder is moved away, or the mount is: nothing is answered as absent.
#[tokio::test]
async fn s_17_a_folder_that_goes_away_is_unavailable() {
    let folder = folder();
    let path = folder.path().join("store");
    let store = open(&path).await;
    let record = Sample::new(NOW).record();
    store
        .create(record.clone(), SubjectLimit::NONE, NOW)
        .await
        .unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let answer = store.load(record.id).await;
    assert_eq!(answer.map(drop).unwrap_err().kind(), ErrorKind::Unavailable);
    let answer = store.create(record, SubjectLimit::NONE, NOW).await;
    assert_eq!(answer.map(drop).unwrap_err().kind(), ErrorKind::Unavailable);
}
