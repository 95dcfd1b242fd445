//! The file: who may read it, who may open it, what happens to one that is damaged or foreign, and to a disk that fails.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::{Activity, Epoch};
use cloakroom_core::store::{
    Created, ErrorKind, Expect, Scope, Store as _, SubjectIndex as _, Touched, Updated,
};
use cloakroom_core::{Change, Edits, JsonText, Record, SubjectLimit, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use redb::{Database, TableDefinition};
use tempfile::TempDir;

use crate::disk::Disk;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, Options::default()).unwrap()
}

fn record() -> Record {
    Sample::new(NOW).of("ann", Epoch::ZERO).record()
}

async fn create(store: &EmbeddedStore, record: &Record) {
    let created = store.create(record.clone(), SubjectLimit::NONE, NOW).await;
    assert!(matches!(created.unwrap(), Created::Done(_)));
}

#[test]
fn the_files_are_for_their_owner_alone() {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("deeper/store");
    let store = open(&folder);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in folder.read_dir().unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    assert_eq!(
        folder.read_dir().unwrap().count(),
        1,
        "nothing is left over"
    );
    drop(store);
}

#[test]
fn a_second_opener_is_told_why() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let error = EmbeddedStore::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let text = format!("{}", std::error::Error::source(&error).unwrap());
    assert!(
        text.contains("another process has this store open"),
        "{text}"
    );
    drop(store);
    open(folder.path());
}

#[test]
fn another_format_is_refused() {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let database = Database::open(folder.path().join("sessions.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut row = vec![0; 4];
        row.extend_from_slice(&2_u64.to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(b"format");
        crc.update(&row[4..]);
        row[..4].copy_from_slice(&crc.finalize().to_be_bytes());
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", &row[..]).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let error = EmbeddedStore::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let mut source = std::error::Error::source(&error);
    let mut texts = String::new();
    while let Some(error) = source {
        texts.push_str(&error.to_string());
        source = error.source();
    }
    assert!(texts.contains("format 2"), "{texts}");
}

#[test]
fn a_foreign_file_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("sessions.redb"), [7; 100_000]).unwrap();
    let error = EmbeddedStore::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_store_that_was_dropped_lost_nothing_not_even_touches() {
    let folder = TempDir::new().unwrap();
    let record = record();
    let activity = Activity {
        last_seen: NOW.plus(Duration::from_secs(60)),
        idle_deadline: NOW.plus(Duration::from_secs(3600)),
    };
    let store = open(folder.path());
    create(&store, &record).await;
    let touched = store.touch(record.id, activity, NOW).await.unwrap();
    assert_eq!(touched, Touched::Done);
    drop(store);
    let store = open(folder.path());
    let found = store.load(record.id).await.unwrap().unwrap();
    assert_eq!(found.record.activity, activity);
}

/// S-16: whatever bytes of the file are turned, the answer is an error or the truth, never a panic and never a lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_16_turned_bytes_are_noticed() {
    let disk = Disk::default();
    let shared = disk.clone();
    let make = move || Ok::<_, io::Error>(shared.clone());
    let store = EmbeddedStore::open_on(make, Options::default()).unwrap();
    let records: Vec<Record> = (0..50).map(|_| record()).collect();
    for record in &records {
        create(&store, record).await;
    }
    drop(store);
    let image = disk.image();
    let (mut noticed, mut missed) = (0, 0);
    let rounds = crate::soak(150, 5000);
    let mut chance = crate::seed();
    for _ in 0..rounds {
        // A plain linear congruence: which bytes are hit matters little, that they can be hit again does.
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut damaged = image.clone();
        let at = (chance >> 16) as usize % damaged.len();
        damaged[at] ^= 1 << (chance >> 8 & 7);
        let disk = Disk::of(damaged);
        let make = move || Ok::<_, io::Error>(disk.clone());
        let Ok(store) = EmbeddedStore::open_on(make, Options::default()) else {
            noticed += 1;
            continue;
        };
        for record in &records {
            match store.load(record.id).await {
                Ok(Some(found)) => assert_eq!(*found.record, *record, "byte {at}"),
                Ok(None) => {
                    println!("byte {at} of page {}", at / 4096);
                    missed += 1;
                }
                Err(error) => {
                    assert_ne!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                    noticed += 1;
                }
            }
        }
    }
    println!("{noticed} times noticed, {missed} times not, in {rounds} rounds");
}

/// The largest session fits into a region of the file; a larger one is refused, and the store goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_too_large_for_the_file_is_denied() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let none = SubjectLimit::NONE;
    let of_bytes = |bytes: usize| {
        let mut edits = Edits::new();
        edits.set("a", JsonText::of(&"x".repeat(bytes)).unwrap());
        let mut record = record();
        record.data = record.data.apply(&edits);
        record
    };
    let (large, too_large) = (of_bytes((8 << 20) - 64), of_bytes(8 << 20));
    create(&store, &large).await;
    let answer = store.create(too_large, none, NOW).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Denied);
    let mut more = Edits::new();
    more.set("b", JsonText::of(&"x".repeat(100)).unwrap());
    let more = Change::of_data(more);
    let answer = store.update(large.id, Expect::Version(1), more, none, NOW);
    assert_eq!(answer.await.unwrap_err().kind(), ErrorKind::Denied);
    let found = store.load(large.id).await.unwrap().unwrap();
    assert_eq!(*found.record, large);
}

/// S-16: a session whose key is damaged is not found any more, but its row still lies where it belongs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_16_a_damaged_key_is_not_an_absent_session() {
    let disk = Disk::default();
    let shared = disk.clone();
    let make = move || Ok::<_, io::Error>(shared.clone());
    let store = EmbeddedStore::open_on(make, Options::default()).unwrap();
    // Enough for several leaves under a branch.
    let records: Vec<Record> = (0..200).map(|_| record()).collect();
    for record in &records {
        create(&store, record).await;
    }
    drop(store);
    let image = disk.image();
    for record in records.iter().step_by(5) {
        let id = record.id.as_bytes();
        let mut noticed = 0;
        // It stands in the row, in branches, in the index, in the queue, and in pages that are no longer in use.
        for at in (0..image.len() - id.len()).filter(|at| image[*at..].starts_with(id)) {
            for byte in [0, 7, 15] {
                let mut damaged = image.clone();
                damaged[at + byte] ^= 0x80;
                let disk = Disk::of(damaged);
                let make = move || Ok::<_, io::Error>(disk.clone());
                let Ok(store) = EmbeddedStore::open_on(make, Options::default()) else {
                    continue;
                };
                match store.load(record.id).await {
                    Ok(Some(found)) => assert_eq!(*found.record, *record),
                    Ok(None) => {
                        panic!("byte {byte} of the id at {at} was turned, and nobody noticed")
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt);
                        noticed += 1;
                    }
                }
            }
        }
        assert!(noticed >= 3, "the row itself was not among what was turned");
    }
}

/// A failed commit answers `unavailable` and changes nothing; once the disk is back the store goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_17_a_disk_that_fails_and_comes_back() {
    let disk = Disk::default();
    let shared = disk.clone();
    let make = move || Ok::<_, io::Error>(shared.clone());
    let store = EmbeddedStore::open_on(make, Options::default()).unwrap();
    let (kept, lost) = (record(), record());
    create(&store, &kept).await;
    disk.set_down(true);
    let failed = store.create(lost.clone(), SubjectLimit::NONE, NOW).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    let failed = store.delete(kept.id).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(!matches!(store.load(lost.id).await, Ok(Some(_))));
    disk.set_down(false);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let change = samples::set("a", 1);
    loop {
        let expect = Expect::Version(1);
        let none = SubjectLimit::NONE;
        match store
            .update(kept.id, expect, change.clone(), none, NOW)
            .await
        {
            Ok(done) => {
                assert!(matches!(done, Updated::Done { .. }), "{done:?}");
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
        assert!(
            std::time::Instant::now() < deadline,
            "it does not come back"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(store.load(lost.id).await.unwrap().is_none());
}

/// More sessions than a revocation ends in its own transaction: denied at once, counted, and removed after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_03_a_large_revocation_denies_at_once_and_clears_later() {
    let folder = TempDir::new().unwrap();
    let store = std::sync::Arc::new(open(folder.path()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1500 {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move {
            let record = record();
            create(&store, &record).await;
            record.id
        });
    }
    let ids = tasks.join_all().await;
    let subject = samples::subject("ann");
    let scope = Scope::Subject { app: None, subject };
    let revoked = store.revoke_all(scope.clone(), Some(ids[7]), NOW);
    let revoked = revoked.await.unwrap();
    assert_eq!(revoked.count, 1499);
    let listed = store.list(scope, None, 10, NOW).await.unwrap();
    assert_eq!(listed.records.len(), 1);
    assert_eq!(listed.records[0].id, ids[7]);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    for id in ids.iter().filter(|id| **id != ids[7]) {
        while store.load(*id).await.unwrap().is_some() {
            assert!(std::time::Instant::now() < deadline, "its row stays");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
