//! Real processes that share a folder: none loses the other's writes, and one that is killed takes nothing with it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Expect, Store as _, Updated};
use cloakroom_core::{SessionId, SubjectLimit};
use cloakroom_stores::FilesStore;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{NOW, folder, open};
use crate::{seed, soak};

const FOLDER: &str = "CLOAKROOM_TEST_FILES_FOLDER";
const WORK: &str = "CLOAKROOM_TEST_FILES_WORK";
const NONE: SubjectLimit = SubjectLimit::NONE;
const TASKS: usize = 64;

/// Not a test of its own: what another process does, as its environment says.
#[test]
fn child_of_the_process_tests() {
    let (Some(folder), Ok(work)) = (std::env::var_os(FOLDER), std::env::var(WORK)) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(open(folder.as_ref()).await);
        match work.split_once(' ') {
            Some((id, each)) => {
                let id = SessionId::from_str(id).unwrap();
                increments(store, id, each.parse().unwrap()).await;
            }
            None => {
                let mut tasks = tokio::task::JoinSet::new();
                for _ in 0..8 {
                    tasks.spawn(write_for_ever(Arc::clone(&store)));
                }
                tasks.join_all().await;
            }
        }
    });
}

fn child(folder: &Path, work: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "files::processes::child_of_the_process_tests",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(WORK, work)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// `TASKS` tasks, each of which adds one `each` times, by compare-and-set.
async fn increments(store: Arc<FilesStore>, id: SessionId, each: u64) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut record = store.load(id).await.unwrap().unwrap().record;
            for _ in 0..each {
                loop {
                    let count: u64 = record.data.read("count").unwrap().unwrap_or(0);
                    let change = samples::set("count", count + 1);
                    let expect = Expect::Version(record.version);
                    match store.update(id, expect, change, NONE, NOW).await.unwrap() {
                        Updated::Done { record: newer, .. } => {
                            record = newer;
                            break;
                        }
                        Updated::Conflict(newer) => record = newer.record,
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
    }
    tasks.join_all().await;
}

/// S-08: two processes with 64 tasks each increment one session; none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn soak_s_08_two_processes_lose_no_increment() {
    let folder = folder();
    let store = open(folder.path()).await;
    let record = Sample::new(NOW).record();
    store.create(record.clone(), NONE, NOW).await.unwrap();
    let each = soak(3, 1000);
    let work = format!("{} {each}", record.id);
    let mut children: Vec<_> = (0..2).map(|_| child(folder.path(), &work)).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let found = store.load(record.id).await.unwrap().unwrap().record;
    let wanted = 2 * TASKS * each;
    assert_eq!(found.data.get("count"), Some(&*wanted.to_string()));
    assert_eq!(found.version, 1 + wanted as u64);
}

fn acknowledge(id: SessionId, version: u64) {
    // One write a line, so that lines of parallel writers do not mix.
    let line = format!("\nacknowledged {id} {version}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

async fn write_for_ever(store: Arc<FilesStore>) {
    loop {
        let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
        let id = record.id;
        store.create(record, NONE, NOW).await.unwrap();
        acknowledge(id, 1);
        for version in 1..=rand::random_range(1..6) {
            let change = samples::set("count", version);
            let expect = Expect::Version(version);
            let done = store.update(id, expect, change, NONE, NOW).await.unwrap();
            assert!(matches!(done, Updated::Done { .. }));
            acknowledge(id, version + 1);
        }
        if rand::random_bool(0.5) {
            store.delete(id).await.unwrap();
            acknowledge(id, 0);
        }
    }
}

fn write_until_killed(folder: &Path, after: Duration) -> HashMap<SessionId, u64> {
    let mut child = child(folder, "for-ever");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        let mut acknowledged = HashMap::new();
        for line in lines {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            // The last line may be cut.
            if let ["acknowledged", id, version] = words[..]
                && let (Ok(id), Ok(version)) = (SessionId::from_str(id), version.parse())
            {
                acknowledged.insert(id, version);
            }
        }
        acknowledged
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// S-15: `kill -9` at random moments, seen by a process that goes on.
#[tokio::test(flavor = "multi_thread")]
async fn soak_s_15_a_killed_process_loses_nothing() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut rng = StdRng::seed_from_u64(seed());
    let mut all = HashMap::new();
    for _ in 0..soak(4, 200) {
        let after = Duration::from_millis(rng.random_range(100..900));
        let acknowledged = tokio::task::block_in_place(|| write_until_killed(folder.path(), after));
        all.extend(acknowledged);
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
    println!("{} sessions acknowledged", all.len());
    assert!(
        !all.is_empty(),
        "no process got as far as to acknowledge anything"
    );
    // What the killed ones left behind, a sweep clears.
    let late = NOW.plus(samples::HARD_CAP);
    while store.sweep(late, 1000).await.unwrap().more {}
    for id in all.keys() {
        assert!(
            store.load(*id).await.unwrap().is_none(),
            "{id} is not swept"
        );
    }
    let left = walk(&folder.path().join("s")) + walk(&folder.path().join("q"));
    assert_eq!(left, 0, "files of sessions left after the last sweep");
}

pub(super) fn walk(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path()),
            false => 1,
        })
        .sum()
}
