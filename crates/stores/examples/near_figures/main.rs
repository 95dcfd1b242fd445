//! Figures of the near cache and of the overflow, each beside the memory store alone in the same run:
//! `cargo run --release -p cloakroom-stores --features near_cache,overflow --example near_figures`.
//!
//! - `load`: a session of 190 bytes of data, of 100,000, in nanoseconds of processor time: from memory, from a near cache
//!   that has it, from an overflow that has it in memory, from one that has it on disk.
//! - `create`: likewise, durable nowhere: in memory, in an overflow with room, and in one that is full and sends a session
//!   down for each that begins (here the clock on the wall: it waits for the disk).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_core::lifecycle::{Begin, begin};
use cloakroom_core::store::Store;
use cloakroom_core::store::memory::{MIB, MemoryStore};
use cloakroom_core::{Edits, JsonText, Policy, Record, SubjectLimit, Timestamp};
use cloakroom_stores::near_cache::NearCache;
use cloakroom_stores::overflow::OverflowStore;
use rustix::time::{ClockId, clock_gettime};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SESSIONS: usize = 100_000;
const TURNS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(figures());
}

async fn figures() {
    let records: Vec<Record> = (0..SESSIONS).map(|_| record()).collect();
    let memory = Arc::new(MemoryStore::reserve(256 * MIB));
    let folder = tempfile::tempdir().unwrap();
    let roomy = MemoryStore::builder().reserve(256 * MIB);
    let roomy = OverflowStore::open(roomy, folder.path()).unwrap();
    let narrow = MemoryStore::builder().max_sessions(64);
    let narrow = OverflowStore::open(narrow, folder.path()).unwrap();
    let near = NearCache::new(Arc::clone(&memory), 512 << 20);
    println!("create, ns a session");
    show("memory", fill(&*memory, &records).await);
    show("overflow with room", fill(&roomy, &records).await);
    let few = &records[..SESSIONS / 10];
    let began = Instant::now();
    fill(&narrow, few).await;
    show("overflow, full (wall)", per(began.elapsed(), few.len()));
    println!("{:?}", narrow.stats());

    println!("load, ns a session; the middle of {TURNS} turns");
    // A record is near for a second without a channel; all of them are asked for within it.
    let mut turns: [Vec<Duration>; 4] = Default::default();
    for _ in 0..TURNS {
        turns[0].push(read(&*memory, &records).await);
        read(&near, few).await;
        turns[1].push(read(&near, few).await);
        turns[2].push(read(&roomy, &records).await);
        turns[3].push(read(&narrow, few).await);
    }
    let names = ["memory", "near", "overflow, in memory", "overflow, on disk"];
    for (name, mut turns) in names.into_iter().zip(turns) {
        turns.sort_unstable();
        show(name, turns[TURNS / 2]);
    }
}

fn record() -> Record {
    let mut edits = Edits::new();
    for name in ["cart", "lang", "seen", "theme", "visits"] {
        edits.set(name, JsonText::of(&"x".repeat(30)).unwrap());
    }
    let what = Begin {
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), NOW, &rand::random()).0
}

async fn fill<S: Store>(store: &S, records: &[Record]) -> Duration {
    let work = async {
        for record in records {
            let created = store.create(record.clone(), SubjectLimit::NONE, NOW).await;
            created.unwrap();
        }
    };
    per(cpu(work).await, records.len())
}

async fn read<S: Store>(store: &S, records: &[Record]) -> Duration {
    let work = async {
        for record in records {
            assert!(store.load(record.id).await.unwrap().is_some());
        }
    };
    per(cpu(work).await, records.len())
}

/// Processor time of all threads.
async fn cpu(work: impl Future<Output = ()>) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let before = now();
    work.await;
    now() - before
}

fn per(time: Duration, count: usize) -> Duration {
    time / count as u32
}

fn show(name: &str, time: Duration) {
    println!("  {name:<24}{:>8}", time.as_nanos());
}
