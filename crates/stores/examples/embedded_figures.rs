//! Figures of the embedded store: `cargo run --release -p cloakroom-stores --example embedded_figures [SESSIONS]`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::Activity;
use cloakroom_core::store::{Expect, Store as _, SubjectIndex as _};
use cloakroom_core::{
    Change, Edits, JsonText, Policy, Record, SessionId, Subject, SubjectLimit, Timestamp,
};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use redb::{Database, TableDefinition};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, fill, folder, sessions] = &arguments[..]
        && fill == "fill"
    {
        return run(fill_and_die(folder.as_ref(), sessions.parse().unwrap()));
    }
    let sessions = arguments
        .get(1)
        .map_or(100_000, |text| text.parse().unwrap());
    bare(false);
    bare(true);
    run(writers());
    run(reads());
    restart(sessions);
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

/// A session of about 500 bytes.
fn record(number: usize) -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&"x".repeat(250)).unwrap());
    let what = Begin {
        proof: Some(Proof::of(
            Subject::new(format!("subject {number}")).unwrap(),
        )),
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), NOW, &rand::random()).0
}

fn edit(number: usize) -> Change {
    let mut edits = Edits::new();
    edits.set("count", JsonText::of(&number).unwrap());
    Change::of_data(edits)
}

/// What the engine alone does: one row a commit.
fn bare(quick_repair: bool) {
    const ROWS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("rows");
    let folder = TempDir::new_in(".").unwrap();
    let database = Database::create(folder.path().join("bare")).unwrap();
    let start = Instant::now();
    let mut commits = 0;
    while start.elapsed() < Duration::from_secs(2) {
        let mut transaction = database.begin_write().unwrap();
        transaction.set_quick_repair(quick_repair);
        transaction
            .open_table(ROWS)
            .unwrap()
            .insert(&rand::random::<[u8; 16]>(), &[7; 500][..])
            .unwrap();
        transaction.commit().unwrap();
        commits += 1;
    }
    print_rate(
        &format!("redb alone, one row a commit, quick repair {quick_repair}"),
        commits,
        start.elapsed(),
    );
}

fn print_rate(what: &str, count: usize, time: Duration) {
    let rate = count as f64 / time.as_secs_f64();
    println!("{what:<60} {rate:>12.0}/s");
}

fn open(folder: &Path, options: Options) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(folder, options).unwrap())
}

/// `clients` tasks that do `work` for two seconds.
async fn measure<F, R>(what: &str, clients: usize, work: F)
where
    F: Fn(usize) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (work, done) = (work.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while start.elapsed() < Duration::from_secs(2) {
                    work(done.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let done = done.load(Ordering::Relaxed);
    print_rate(&format!("{what}, {clients} at once"), done, start.elapsed());
}

async fn writers() {
    let folder = TempDir::new_in(".").unwrap();
    let store = open(folder.path(), Options::default());
    for clients in [1, 32, 256] {
        let store = Arc::clone(&store);
        measure("create", clients, move |number| {
            let store = Arc::clone(&store);
            async move {
                let limit = SubjectLimit::default();
                store.create(record(number), limit, NOW).await.unwrap();
            }
        })
        .await;
    }
    let ids = fill(&store, 1000).await;
    for clients in [1, 32] {
        let (store, ids) = (Arc::clone(&store), ids.clone());
        measure("update", clients, move |number| {
            let (store, id) = (Arc::clone(&store), ids[number % ids.len()]);
            async move {
                let expect = Expect::Security(1);
                let none = SubjectLimit::NONE;
                let done = store.update(id, expect, edit(number), none, NOW);
                done.await.unwrap();
            }
        })
        .await;
    }
    let touching = Arc::clone(&store);
    measure("touch", 2, move |number| {
        let (store, id) = (Arc::clone(&touching), ids[number % ids.len()]);
        async move {
            let at = NOW.plus(Duration::from_millis(number as u64));
            let activity = Activity {
                last_seen: at,
                idle_deadline: at.plus(Duration::from_secs(1800)),
            };
            store.touch(id, activity, NOW).await.unwrap();
        }
    })
    .await;
}

async fn fill(store: &Arc<EmbeddedStore>, sessions: usize) -> Arc<[SessionId]> {
    let mut ids = Vec::with_capacity(sessions);
    let clients = 512;
    let mut number = 0;
    while number < sessions {
        let tasks: Vec<_> = (number..sessions.min(number + clients))
            .map(|number| {
                let (store, record) = (Arc::clone(store), record(number));
                tokio::spawn(async move {
                    let id = record.id;
                    let none = SubjectLimit::NONE;
                    store.create(record, none, NOW).await.unwrap();
                    id
                })
            })
            .collect();
        number += tasks.len();
        for task in tasks {
            ids.push(task.await.unwrap());
        }
    }
    ids.into()
}

async fn reads() {
    for (what, hot_bytes) in [("load, hot", 256 << 20), ("load, from the file", 0)] {
        let folder = TempDir::new_in(".").unwrap();
        let options = Options {
            hot_bytes,
            cache_bytes: 256 << 20,
            ..Options::default()
        };
        let store = open(folder.path(), options);
        let ids = fill(&store, 50_000).await;
        for clients in [1, 2] {
            let (store, ids) = (Arc::clone(&store), Arc::clone(&ids));
            measure(what, clients, move |number| {
                let (store, id) = (Arc::clone(&store), ids[number * 7919 % ids.len()]);
                async move { assert!(store.load(id).await.unwrap().is_some()) }
            })
            .await;
        }
    }
}

async fn fill_and_die(folder: &Path, sessions: usize) {
    let store = open(folder, Options::default());
    let start = Instant::now();
    let ids = fill(&store, sessions).await;
    print_rate("filling", sessions, start.elapsed());
    std::fs::write(folder.join("id"), ids[sessions / 2].as_bytes()).unwrap();
    std::process::abort();
}

/// How long it takes from start to the first load, after a death and after a proper end.
fn restart(sessions: usize) {
    let folder = TempDir::new_in(".").unwrap();
    let fill = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["fill".as_ref(), folder.path().as_os_str()])
        .arg(sessions.to_string())
        .status();
    assert!(!fill.unwrap().success());
    let id = std::fs::read(folder.path().join("id")).unwrap();
    let id = SessionId::from_bytes(id.try_into().unwrap());
    let file: PathBuf = folder.path().join("sessions.redb");
    let bytes = file.metadata().unwrap().len() as usize;
    println!(
        "{sessions} sessions, {} bytes of file each",
        bytes / sessions
    );
    for after in ["its death", "a proper end"] {
        let folder = folder.path().to_owned();
        run(async move {
            let start = Instant::now();
            let store = open(&folder, Options::default());
            let opened = start.elapsed();
            assert!(store.load(id).await.unwrap().is_some());
            let loaded = start.elapsed();
            println!("open after {after}: {opened:.1?}, first load {loaded:.1?}");
            let start = Instant::now();
            let count = store.epoch().await.unwrap();
            drop(store);
            println!("close at {count:?}: {:.1?}", start.elapsed());
        });
    }
}
