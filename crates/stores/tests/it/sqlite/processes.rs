//! Real processes on one file: they lose nothing of each other's, also when one of them is killed.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Created, Expect, Store as _, Updated};
use cloakroom_core::{SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::sql::sqlite::SqliteStore;
use cloakroom_test_servers::quick_place;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

use super::conformance::connect;
use crate::{seed, soak};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const FILE: &str = "CLOAKROOM_TEST_SQLITE_FILE";
const COUNTED: &str = "CLOAKROOM_TEST_SQLITE_COUNTED";

async fn increment(store: &SqliteStore, id: SessionId) {
    let mut seen = store.load(id).await.unwrap().unwrap().record;
    loop {
        let count = seen.data.get("count").and_then(|n| n.parse::<u64>().ok());
        let change = samples::set("count", count.unwrap_or(0) + 1);
        let expect = Expect::Version(seen.version);
        let answer = store
            .update(id, expect, change, SubjectLimit::NONE, NOW)
            .await;
        match answer.unwrap() {
            Updated::Done { .. } => return,
            Updated::Conflict(newer) => seen = newer.record,
            other => panic!("{other:?}"),
        }
    }
}

/// Each acknowledged operation as a line: what is there now, a session id and its version (0: ended).
fn acknowledge(id: SessionId, version: u64) {
    let line = format!("\nacknowledged {id} {version}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

async fn write_for_ever(store: Arc<SqliteStore>) {
    let none = SubjectLimit::NONE;
    loop {
        let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
        let id = record.id;
        store.create(record, none, NOW).await.unwrap();
        acknowledge(id, 1);
        for version in 1..=rand::random_range(1..6) {
            let change = samples::set("count", version);
            let expect = Expect::Version(version);
            let done = store.update(id, expect, change, none, NOW).await.unwrap();
            assert!(matches!(done, Updated::Done { .. }));
            acknowledge(id, version + 1);
        }
        if rand::random_bool(0.5) {
            store.delete(id).await.unwrap();
            acknowledge(id, 0);
        }
    }
}

/// Not a test of its own: what the other processes do.
#[test]
fn child_of_the_tests_with_processes() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let counted = std::env::var(COUNTED).ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(connect(file).await);
        match counted {
            Some(id) => count(store, SessionId::from_str(&id).unwrap(), rounds()).await,
            None => {
                let mut tasks = tokio::task::JoinSet::new();
                for _ in 0..16 {
                    tasks.spawn(write_for_ever(Arc::clone(&store)));
                }
                tasks.join_all().await;
            }
        }
    });
}

fn rounds() -> usize {
    soak(5, 1000)
}

const WRITERS: usize = 64;

async fn count(store: Arc<SqliteStore>, id: SessionId, rounds: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..rounds {
                increment(&store, id).await;
            }
        });
    }
    tasks.join_all().await;
}

fn child(file: &Path, counted: Option<SessionId>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "sqlite::processes::child_of_the_tests_with_processes",
            "--exact",
            "--nocapture",
        ])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(id) = counted {
        child.env(COUNTED, id.to_string());
    }
    child.spawn().unwrap()
}

/// S-08, S-04: 64 writers in each of two processes and none of their increments is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_08_two_processes_lose_no_increment() {
    let folder = TempDir::new_in(quick_place()).unwrap();
    let file = folder.path().join("sessions.db");
    let store = Arc::new(connect(&file).await);
    let record = Sample::new(NOW).record();
    let id = record.id;
    let answer = store.create(record, SubjectLimit::NONE, NOW).await.unwrap();
    assert!(matches!(answer, Created::Done(_)));
    let mut other = child(&file, Some(id));
    count(Arc::clone(&store), id, rounds()).await;
    let ended = tokio::task::spawn_blocking(move || {
        // Its pipe is read to the end, or it could wait for us.
        let lines = BufReader::new(other.stdout.take().unwrap()).lines();
        lines.for_each(drop);
        other.wait().unwrap()
    });
    assert!(ended.await.unwrap().success());
    let found = store.load(id).await.unwrap().unwrap().record;
    let wanted = (2 * WRITERS * rounds()).to_string();
    assert_eq!(found.data.get("count"), Some(&*wanted));
}

fn acknowledged(child: &mut Child) -> std::thread::JoinHandle<HashMap<SessionId, u64>> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        let mut acknowledged = HashMap::new();
        for line in lines.map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            // The last line may be cut.
            if let ["acknowledged", id, version] = words[..]
                && let (Ok(id), Ok(version)) = (SessionId::from_str(id), version.parse())
            {
                acknowledged.insert(id, version);
            }
        }
        acknowledged
    })
}

/// S-15: two processes write, one or both are killed at a random moment, and everything acknowledged is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_15_killed_processes_lose_nothing() {
    let folder = TempDir::new_in(quick_place()).unwrap();
    let file = folder.path().join("sessions.db");
    let mut rng = StdRng::seed_from_u64(seed());
    let mut all = HashMap::new();
    for round in 0..soak(4, 100) {
        let mut children = [child(&file, None), child(&file, None)];
        let told = children.each_mut().map(acknowledged);
        for child in &mut children {
            std::thread::sleep(Duration::from_millis(rng.random_range(100..500)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let told: Vec<_> = told.into_iter().map(|told| told.join().unwrap()).collect();
        let count: usize = told.iter().map(HashMap::len).sum();
        println!("round {round}: {count} sessions acknowledged");
        all.extend(told.into_iter().flatten());
        let store = connect(&file).await;
        for (id, version) in &mut all {
            let found = store.load(*id).await.unwrap();
            let found = found.map_or(0, |found| found.record.version);
            match (*version, found) {
                // One more operation may have been under way, whole; it is as good as acknowledged now.
                (0, 0) => {}
                (0, _) => panic!("{id} is back"),
                (version, 0) => assert!(version > 1, "{id} of version {version} is lost"),
                (version, found) => assert!(
                    (version..=version + 1).contains(&found),
                    "{id} has version {found}, {version} was acknowledged"
                ),
            }
            *version = found;
        }
    }
    assert!(
        !all.is_empty(),
        "no process got as far as to acknowledge anything"
    );
}
