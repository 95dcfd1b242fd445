//! Figures of the files store beside the bare file system:
//! `cargo run --release -p cloakroom-stores --all-features --example files_figures -- FOLDER`.
//!
//! A line each, a second: `raw_read` a file opened, read and closed; `raw_write` a file written, synced, renamed and its
//! folder synced, which is the least that a durable change costs; then the store, by 1 and by 32 callers at once, each
//! with sessions of his own but for `update_one_session`. Last what a session takes on the disk.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Expect, Store as _};
use cloakroom_core::{Activity, Record, SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::Options;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const NONE: SubjectLimit = SubjectLimit::NONE;
const LONG: Duration = Duration::from_secs(2);

fn tell(name: &str, count: usize, took: Duration) {
    println!("{name:24} {:10.0}", count as f64 / took.as_secs_f64());
}

fn raw(folder: &Path) {
    let (temp, path) = (folder.join("raw.temp"), folder.join("raw"));
    let bytes = vec![7; 500];
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < LONG {
        let mut file = File::create(&temp).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        fs::rename(&temp, &path).unwrap();
        File::open(folder).unwrap().sync_all().unwrap();
        count += 1;
    }
    tell("raw_write", count, begun.elapsed());
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < LONG {
        count += usize::from(!fs::read(&path).unwrap().is_empty());
    }
    tell("raw_read", count, begun.elapsed());
    fs::remove_file(path).unwrap();
}

/// `callers` at once, each calling `call` with his number and how often he did, for a while.
async fn measure<F: Future<Output = ()> + Send>(
    name: &str,
    callers: usize,
    call: impl Fn(usize, u64) -> F + Send + Sync + 'static,
) {
    let call = Arc::new(call);
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let call = Arc::clone(&call);
        tasks.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < LONG {
                call(caller, count).await;
                count += 1;
            }
            count as usize
        });
    }
    let count = tasks.join_all().await.into_iter().sum();
    tell(&format!("{name}_{callers}"), count, begun.elapsed());
}

fn sample() -> Record {
    let edits = samples::edits([("cart", 123_456), ("visits", 17), ("theme", 3), ("lang", 1)]);
    Sample::new(NOW).of("ann", Epoch::ZERO).data(edits).record()
}

async fn verbs(store: &Arc<FilesStore>, callers: usize, ids: &Arc<Vec<SessionId>>) {
    let own = Arc::clone(store);
    measure("create", callers, move |_, count| {
        let store = Arc::clone(&own);
        let mut record = sample();
        // A subject has some sessions, not all there are.
        record.security.subject = Some(samples::subject(&format!("ann {}", count / 4)));
        async move { drop(store.create(record, NONE, NOW).await.unwrap()) }
    })
    .await;
    let of = move |caller: usize, count: u64, ids: &[SessionId]| {
        ids[(caller + callers * (count as usize % (ids.len() / callers))) % ids.len()]
    };
    let (own, all) = (Arc::clone(store), Arc::clone(ids));
    measure("load", callers, move |caller, count| {
        let (store, id) = (Arc::clone(&own), of(caller, count, &all));
        async move { drop(store.load(id).await.unwrap().unwrap()) }
    })
    .await;
    let (own, all) = (Arc::clone(store), Arc::clone(ids));
    measure("update", callers, move |caller, count| {
        let (store, id) = (Arc::clone(&own), of(caller, count, &all));
        let change = samples::set("visits", count);
        async move {
            drop(
                store
                    .update(id, Expect::Security(1), change, NONE, NOW)
                    .await
                    .unwrap(),
            )
        }
    })
    .await;
    let (own, id) = (Arc::clone(store), ids[0]);
    measure("update_one_session", callers, move |_, count| {
        let store = Arc::clone(&own);
        let change = samples::set("visits", count);
        async move {
            drop(
                store
                    .update(id, Expect::Security(1), change, NONE, NOW)
                    .await
                    .unwrap(),
            )
        }
    })
    .await;
    let (own, all) = (Arc::clone(store), Arc::clone(ids));
    measure("touch", callers, move |caller, count| {
        let (store, id) = (Arc::clone(&own), of(caller, count, &all));
        let last_seen = NOW.plus(Duration::from_millis(count + 1));
        let activity = Activity {
            last_seen,
            idle_deadline: last_seen.plus(samples::IDLE),
        };
        async move {
            store.touch(id, activity, NOW).await.unwrap();
        }
    })
    .await;
}

/// Blocks of 512 bytes, and files and folders, under a folder.
fn weigh(folder: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        sum = (sum.0 + meta.blocks(), sum.1 + 1);
        if meta.is_dir() {
            let (blocks, files) = weigh(&entry.path());
            sum = (sum.0 + blocks, sum.1 + files);
        }
    }
    sum
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let folder = Path::new(&folder).join("files-figures");
    fs::create_dir_all(&folder).unwrap();
    raw(&folder);
    let path = folder.join("store");
    let mut options = Options::at(&path);
    options.deadline = Duration::from_secs(30);
    let store = Arc::new(FilesStore::connect(options).await.unwrap());
    let before = weigh(&path);
    let mut ids = Vec::new();
    for number in 0..2_000 {
        let mut record = sample();
        record.security.subject = Some(samples::subject(&format!("ben {}", number / 4)));
        ids.push(record.id);
        store.create(record, NONE, NOW).await.unwrap();
    }
    let after = weigh(&path);
    let ids = Arc::new(ids);
    for callers in [1, 32] {
        verbs(&store, callers, &ids).await;
    }
    println!(
        "bytes a session          {:10}",
        (after.0 - before.0) * 512 / 2_000
    );
    println!(
        "files a session          {:10.1}",
        (after.1 - before.1) as f64 / 2_000.0
    );
    drop(store);
    fs::remove_dir_all(&folder).unwrap();
}
