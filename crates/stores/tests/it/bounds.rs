//! What the store takes: disk, memory of touches, time to open.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Instant;

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::Record;
use cloakroom_core::store::Store as _;
use cloakroom_core::{Edits, JsonText, Policy, Subject, SubjectLimit, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::soak;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Requests under way at once.
const CLIENTS: usize = 128;

fn record(number: usize) -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&"x".repeat(250)).unwrap());
    let what = Begin {
        proof: Some(Proof::of(Subject::new(format!("s{number}")).unwrap())),
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), NOW, &rand::random()).0
}

/// The file stays in proportion to what lives in it, however much came and went.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_disk_bounded() {
    let (total, live) = (soak(40_000, 5_000_000), soak(10_000, 100_000));
    let folder = TempDir::new().unwrap();
    let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
    let store = Arc::new(store);
    let file = folder.path().join("sessions.redb");
    let mut bytes = 0;
    let mut alive = VecDeque::new();
    let (start, mut made) = (Instant::now(), 0);
    while made < total {
        let mut tasks = JoinSet::new();
        for number in made..made + CLIENTS {
            let record = record(number);
            alive.push_back(record.id);
            bytes = record.encode().len() + 16;
            let store = Arc::clone(&store);
            let ended = (alive.len() > live).then(|| alive.pop_front().unwrap());
            tasks.spawn(async move {
                let none = SubjectLimit::NONE;
                store.create(record, none, NOW).await.unwrap();
                if let Some(id) = ended {
                    store.delete(id).await.unwrap();
                }
            });
        }
        made += CLIENTS;
        tasks.join_all().await;
    }
    // What it takes on the disk. Its length may be up to twice that: the engine doubles it, and the rest are holes.
    let taken = file.metadata().unwrap().blocks() * 512;
    let bytes = bytes * live;
    println!(
        "{made} sessions came, {live} are left: {taken} bytes of disk (length {}) for {bytes} of records, {:.2} times, in {:.0?}",
        file.metadata().unwrap().len(),
        taken as f64 / bytes as f64,
        start.elapsed(),
    );
    assert!(
        taken <= 3 * bytes as u64,
        "the file grew beyond what lives in it"
    );
}

/// A file that was large in busier days gives most of it back at a restart. How much depends on where the engine's pages
/// lay: 0 to 8 of 36 MB were left in eight runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_busier_days_shrinks_at_the_start() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(EmbeddedStore::open(folder.path(), Options::default()).unwrap());
    let mut tasks = JoinSet::new();
    // Few and large, to be quick.
    for number in 0..1000 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut record = record(number);
            let mut edits = Edits::new();
            edits.set("large", JsonText::of(&"x".repeat(30_000)).unwrap());
            record.data = record.data.apply(&edits);
            let id = record.id;
            let none = SubjectLimit::NONE;
            store.create(record, none, NOW).await.unwrap();
            id
        });
    }
    let ids = tasks.join_all().await;
    let file = folder.path().join("sessions.redb");
    // Before the deletes: depending on how they meet in batches, closing may shrink it already.
    let before = file.metadata().unwrap().len();
    let mut tasks = JoinSet::new();
    for id in ids.iter().skip(1).copied() {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.delete(id).await.unwrap() });
    }
    tasks.join_all().await;
    drop(store);
    let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
    assert!(store.load(ids[0]).await.unwrap().is_some());
    let after = file.metadata().unwrap().len();
    println!("{before} bytes before, {after} after");
    assert!(
        before > 8 << 20 && after < before / 2,
        "{before}, then {after}"
    );
}
