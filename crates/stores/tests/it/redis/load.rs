//! Writers that remember what they were told, and what a failover left of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::lifecycle::{Proof, authenticate};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Created, Deleted, Expect, Store as _, SubjectIndex as _, Updated};
use cloakroom_core::{Policy, Record, SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::RedisStore;
use parking_lot::Mutex;

const WRITERS: usize = 24;
const NONE: SubjectLimit = SubjectLimit::NONE;

/// What a writer was told about one session.
#[derive(Debug, Clone)]
struct Told {
    id: SessionId,
    version: u64,
    security: u64,
    has_subject: bool,
    ended: bool,
    /// An end was asked for and nobody said how it went.
    unsure: bool,
}

/// What happened while they wrote.
#[derive(Debug, Default)]
pub(super) struct Log {
    told: Mutex<Vec<Told>>,
    pub(super) done: AtomicU64,
    pub(super) failed: AtomicU64,
    /// When an operation succeeded or failed, by session.
    moments: Mutex<Vec<(Instant, bool)>>,
    stop: AtomicBool,
    /// The first failure.
    pub(super) first: Mutex<String>,
}

/// What was lost.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) security: Vec<String>,
    pub(super) sessions: u64,
    pub(super) versions: u64,
    pub(super) checked: usize,
}

impl Log {
    fn note<T, E: std::fmt::Debug>(&self, answer: &Result<T, E>) {
        if let Err(error) = answer {
            let mut first = self.first.lock();
            if first.is_empty() {
                *first = format!("{error:?}");
            }
        }
        let counter = if answer.is_ok() {
            &self.done
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.moments.lock().push((Instant::now(), answer.is_ok()));
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Operations that succeeded within `span` after `since`.
    pub(super) fn successes(&self, since: Instant, span: Duration) -> usize {
        let moments = self.moments.lock();
        let within = |when: &Instant| *when >= since && *when < since + span;
        moments
            .iter()
            .filter(|(when, ok)| *ok && within(when))
            .count()
    }

    /// The last failure after `since`, if there was one.
    pub(super) fn last_failure(&self, since: Instant) -> Option<Duration> {
        let moments = self.moments.lock();
        let failures = moments.iter().filter(|(when, ok)| !ok && *when >= since);
        failures.map(|(when, _)| when.duration_since(since)).max()
    }
}

/// Starts the writers.
pub(super) fn start(
    store: &Arc<RedisStore>,
    now: impl Fn() -> Timestamp + Send + Copy + 'static,
) -> (Arc<Log>, Vec<tokio::task::JoinHandle<()>>) {
    let log = Arc::new(Log::default());
    let writers = (0..WRITERS).map(|number| {
        let (store, log) = (Arc::clone(store), Arc::clone(&log));
        tokio::spawn(async move {
            let mut turn = 0;
            while !log.stop.load(Ordering::Relaxed) {
                one(&store, &log, number, turn, now()).await;
                turn += 1;
                // Errors come at once; nobody should hammer.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    });
    let writers = writers.collect();
    (log, writers)
}

/// Starts readers of sessions all over the keys.
pub(super) async fn readers(
    store: &Arc<RedisStore>,
    now: impl Fn() -> Timestamp,
) -> (Arc<Log>, Vec<tokio::task::JoinHandle<()>>) {
    let log = Arc::new(Log::default());
    let mut tasks = Vec::new();
    for _ in 0..48 {
        let record = Sample::new(now()).record();
        let id = record.id;
        store.create(record, NONE, now()).await.unwrap();
        let (store, log) = (Arc::clone(store), Arc::clone(&log));
        tasks.push(tokio::spawn(async move {
            while !log.stop.load(Ordering::Relaxed) {
                log.note(&store.load(id).await);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }));
    }
    (log, tasks)
}

/// The life of one session: begins, is written, gets another subject, sometimes ends.
async fn one(store: &RedisStore, log: &Log, number: usize, turn: usize, now: Timestamp) {
    let epoch = store.epoch().await;
    log.note(&epoch);
    let Ok(epoch) = epoch else { return };
    let subject = format!("w{number}");
    let sample = Sample::new(now);
    let record = if turn.is_multiple_of(2) {
        sample.of(&subject, epoch).record()
    } else {
        sample.record()
    };
    let created = store.create(record.clone(), NONE, now).await;
    log.note(&created);
    let Ok(Created::Done(_)) = created else {
        return;
    };
    let mut told = Told {
        id: record.id,
        version: 1,
        security: 1,
        has_subject: turn.is_multiple_of(2),
        ended: false,
        unsure: false,
    };
    work(store, log, &record, &mut told, turn, epoch, now).await;
    log.told.lock().push(told);
}

async fn work(
    store: &RedisStore,
    log: &Log,
    record: &Record,
    told: &mut Told,
    turn: usize,
    epoch: Epoch,
    now: Timestamp,
) {
    for round in 0..3 {
        let expect = Expect::Security(told.security);
        let change = samples::set("n", round);
        let answer = store.update(record.id, expect, change, NONE, now).await;
        log.note(&answer);
        if let Ok(Updated::Done { record, .. }) = answer {
            told.version = record.version;
        }
    }
    let loaded = store.load(record.id).await;
    log.note(&loaded);
    let Ok(Some(loaded)) = loaded else { return };
    let proof = Proof::of(samples::subject(&format!("login{}", turn % 5)));
    let policy = Policy::default();
    let change = authenticate(&loaded.record, &proof, epoch, &policy, now, &rand::random()).change;
    let expect = Expect::Security(loaded.record.security.version);
    let answer = store.update(record.id, expect, change, NONE, now).await;
    log.note(&answer);
    if let Ok(Updated::Done { record, .. }) = answer {
        told.version = record.version;
        told.security = record.security.version;
        told.has_subject = true;
    }
    if turn.is_multiple_of(3) {
        let answer = store.delete(record.id).await;
        log.note(&answer);
        match answer {
            Ok(Deleted::Done(_)) => told.ended = true,
            Ok(Deleted::Absent) => told.unsure = true,
            Err(_) => told.unsure = true,
        }
    }
}

/// Compares what is left with what was told.
pub(super) async fn check(store: &RedisStore, log: &Log) -> Lost {
    let told = log.told.lock().clone();
    let mut lost = Lost::default();
    for told in told {
        lost.checked += 1;
        let found = store.load(told.id).await.unwrap();
        match found {
            Some(_) if told.ended => lost.security.push(format!("{told:?} is back")),
            Some(found) => {
                let record = found.record;
                if record.security.version < told.security {
                    lost.security.push(format!(
                        "{told:?} has security version {}",
                        record.security.version
                    ));
                }
                lost.versions += u64::from(record.version < told.version);
            }
            None if told.ended || told.unsure => {}
            // A login that is lost is a security write as well, though it only denies.
            None if told.has_subject => lost.security.push(format!("{told:?} is gone")),
            None => lost.sessions += 1,
        }
    }
    lost
}
