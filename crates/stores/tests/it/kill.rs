//! A real process that is killed: 32 writers, `kill -9` at a random moment, and everything it had acknowledged is there.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Expect, Store as _, Updated};
use cloakroom_core::{SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::{seed, soak};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const FOLDER: &str = "CLOAKROOM_TEST_KILL_FOLDER";
const WRITERS: usize = 32;

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, Options::default()).unwrap()
}

/// Each acknowledged operation as a line: what is there now, a session id and its version (0: ended).
fn acknowledge(id: SessionId, version: u64) {
    // One write a line, so that lines of parallel writers do not mix.
    let line = format!("\nacknowledged {id} {version}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

async fn write_for_ever(store: Arc<EmbeddedStore>) {
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

/// Not a test of its own: what the killed process does.
#[test]
fn child_of_the_kill_test() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(open(folder.as_ref()));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(write_for_ever(Arc::clone(&store)));
        }
        tasks.join_all().await;
    });
}

fn write_until_killed(folder: &Path, after: Duration) -> HashMap<SessionId, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::child_of_the_kill_test", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
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

/// S-15: `kill -9` at random moments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_15_killed_processes_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let mut rng = StdRng::seed_from_u64(seed());
    let mut all = HashMap::new();
    for round in 0..soak(6, 200) {
        let after = Duration::from_millis(rng.random_range(100..900));
        let acknowledged = write_until_killed(folder.path(), after);
        println!(
            "round {round}: {} sessions acknowledged",
            acknowledged.len()
        );
        all.extend(acknowledged);
        let store = open(folder.path());
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
