//! What goes down, what comes up, and what is left on disk.

use std::sync::Arc;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::memory::MemoryStore;
use cloakroom_core::store::{
    Created, Expect, Scope, Store as _, SubjectIndex as _, Touched, Updated,
};
use cloakroom_core::{Change, Edits, JsonText, Record, SubjectLimit, Timestamp};
use cloakroom_stores::overflow::OverflowStore;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const NONE: SubjectLimit = SubjectLimit::NONE;

fn open(reserve: usize) -> (TempDir, OverflowStore) {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::builder().reserve(reserve);
    let store = OverflowStore::open(memory, folder.path()).unwrap();
    (folder, store)
}

/// Data of about this many bytes.
fn payload(bytes: usize) -> Edits {
    let mut edits = Edits::new();
    edits.set("payload", JsonText::of(&"x".repeat(bytes)).unwrap());
    edits
}

async fn create(store: &OverflowStore, number: usize) -> Record {
    let subject = format!("s{number}");
    let sample = Sample::new(NOW).of(&subject, Epoch::ZERO);
    let record = sample.data(payload(1000)).record();
    let created = store.create(record.clone(), NONE, NOW).await.unwrap();
    assert!(matches!(created, Created::Done(ended) if ended.is_empty()));
    record
}

#[tokio::test]
async fn ten_times_what_fits_is_kept_and_every_session_lives_on() {
    let (_folder, store) = open(512 << 10);
    let mut records = Vec::new();
    for number in 0..crate::soak(3000, 100_000) {
        records.push(create(&store, number).await);
    }
    assert!(store.stats().down > 2000, "{:?}", store.stats());
    for record in &records {
        let loaded = store.load(record.id).await.unwrap().unwrap();
        assert_eq!(*loaded.record, *record);
    }
    let any = Expect::Security(1);
    for record in records.iter().step_by(100) {
        let change = samples::set("a", 7);
        let updated = store
            .update(record.id, any, change, NONE, NOW)
            .await
            .unwrap();
        assert!(matches!(updated, Updated::Done { .. }));
    }
    let revoked = store
        .revoke_all(Scope::Everything, None, NOW)
        .await
        .unwrap();
    assert_eq!(revoked.count, records.len() as u64);
    for record in records.iter().step_by(50) {
        let loaded = store.load(record.id).await.unwrap();
        let opens =
            loaded.is_some_and(|loaded| loaded.record.security.admitted >= loaded.not_before);
        assert!(!opens);
    }
}

#[tokio::test]
async fn what_is_used_comes_up_when_there_is_room_again() {
    let (_folder, store) = open(512 << 10);
    let mut records = vec![create(&store, 0).await];
    assert_eq!(store.stats().down, 0, "without pressure nothing goes down");
    while store.stats().down < 200 {
        records.push(create(&store, records.len()).await);
    }
    for gone in records.split_off(300) {
        store.delete(gone.id).await.unwrap();
    }
    let before = store.stats();
    for record in &records {
        let touched = store.touch(record.id, record.activity, NOW).await;
        assert_eq!(touched.unwrap(), Touched::Done);
    }
    let after = store.stats();
    assert!(after.up > 0, "{after:?}");
    assert_eq!(after.down, before.down, "there is room");
    for record in &records {
        let loaded = store.load(record.id).await.unwrap().unwrap();
        assert_eq!(*loaded.record, *record);
        store.delete(record.id).await.unwrap();
        assert!(store.load(record.id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_session_that_outgrows_memory_goes_on_from_disk() {
    let (_folder, store) = open(512 << 10);
    let record = create(&store, 0).await;
    let change = Change {
        edits: payload(600 << 10),
        ..Change::default()
    };
    let any = Expect::Security(1);
    let updated = store
        .update(record.id, any, change, NONE, NOW)
        .await
        .unwrap();
    let Updated::Done { record, .. } = updated else {
        panic!("{updated:?}");
    };
    let loaded = store.load(record.id).await.unwrap().unwrap();
    assert_eq!(loaded.record, record);
    store.delete(record.id).await.unwrap();
    assert!(store.load(record.id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn increments_while_everything_moves_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::builder().max_sessions(20);
    let store = Arc::new(OverflowStore::open(memory, folder.path()).unwrap());
    let mut records = Vec::new();
    for number in 0..200 {
        records.push(create(&store, number).await);
    }
    let rounds = crate::soak(10, 200);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (store, records) = (Arc::clone(&store), records.clone());
            tokio::spawn(async move {
                for _ in 0..rounds {
                    for record in records.iter().skip(writer % 4).step_by(4) {
                        increment(&store, record).await;
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let stats = store.stats();
    assert!(stats.down > 0 && stats.up > 0, "{stats:?}");
    for record in &records {
        let loaded = store.load(record.id).await.unwrap().unwrap();
        let count: u64 = loaded.record.data.read("count").unwrap().unwrap();
        assert_eq!(count, 2 * rounds as u64);
    }
}

async fn increment(store: &OverflowStore, record: &Record) {
    loop {
        let loaded = store.load(record.id).await.unwrap().unwrap();
        let count: u64 = loaded.record.data.read("count").unwrap().unwrap_or(0);
        let expect = Expect::Version(loaded.record.version);
        let change = samples::set("count", count + 1);
        let tried = store.update(record.id, expect, change, NONE, NOW).await;
        match tried.unwrap() {
            Updated::Done { .. } => return,
            Updated::Conflict(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_folder_goes_with_the_store_and_a_dead_one_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(folder.path()).unwrap().count();
    let memory = || MemoryStore::builder().reserve(256 << 10);
    // What a killed process leaves, as its file looks: nobody has it open.
    let dead = folder.path().join("overflow-1-0");
    std::fs::create_dir(&dead).unwrap();
    let options = cloakroom_stores::embedded::Options::default();
    drop(cloakroom_stores::EmbeddedStore::open(&dead, options).unwrap());
    // What is somebody else's stays.
    std::fs::create_dir(folder.path().join("photographs")).unwrap();

    let first = OverflowStore::open(memory(), folder.path()).unwrap();
    assert!(!dead.exists());
    let second = OverflowStore::open(memory(), folder.path()).unwrap();
    assert_eq!(
        left(),
        3,
        "each has its own, and the living one is left alone"
    );
    create(&first, 1).await;
    create(&second, 1).await;
    drop((first, second));
    assert_eq!(left(), 1);
}
