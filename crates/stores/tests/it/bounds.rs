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

/// The file stays in proportion to what lives in it, however much came and went: its length, not only what it takes on
/// the disk, and at every moment, not only in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_disk_bounded() {
    let (total, live) = (soak(70_000, 5_000_000), soak(50_000, 100_000));
    let folder = TempDir::new().unwrap();
    let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
    let store = Arc::new(store);
    let file = folder.path().join("sessions.redb");
    let bytes = (record(total).encode().len() + 16) as f64;
    let mut alive = VecDeque::new();
    let (start, mut made, mut most) = (Instant::now(), 0, 0.0_f64);
    while made < total {
        let mut tasks = JoinSet::new();
        for number in made..made + CLIENTS {
            let record = record(number);
            alive.push_back(record.id);
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
        tasks.join_all().await;
        let file = file.metadata().unwrap();
        let times = |length: u64| length as f64 / (bytes * alive.len() as f64);
        if alive.len() == live {
            most = most.max(times(file.len()));
        }
        made += CLIENTS;
        if (made / CLIENTS).is_multiple_of(total / CLIENTS / 20) {
            println!(
                "{made} came, {} are left: length {}, {:.2} times their records, {:.2} on the disk; {:.0?}",
                alive.len(),
                file.len(),
                times(file.len()),
                times(file.blocks() * 512),
                start.elapsed()
            );
        }
    }
    println!(
        "{bytes} bytes a record; the file had at most {most:.2} times as many for each session alive"
    );
    assert!(most <= 3.0, "the file grew beyond what lives in it");
}

/// A file that was large in busier days gives it back at a restart, all but what is not worth the work.
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
        before > 16 << 20 && after <= 1 << 20,
        "{before}, then {after}"
    );
}
