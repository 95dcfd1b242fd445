//! Two clients of a file server that fails in every way it can. Whatever was acknowledged is there; nothing is done
//! twice, lost, or comes back; and what was not acknowledged is there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::policy::OnFull;
use cloakroom_core::store::{
    Created, Deleted, ErrorKind, Expect, Expected, Kind, Put, Registry as _, ReplayGuard as _,
    Scope, Store as _, StoreError, SubjectIndex, Updated,
};
use cloakroom_core::{Record, SessionId, SubjectLimit};
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::Options;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use super::faulty_fs::{Mount, Rates};
use super::{NOW, folder};
use crate::{seed, soak};

const NONE: SubjectLimit = SubjectLimit::NONE;
/// How long a client believes what it saw.
pub(super) const STALE: Duration = Duration::from_millis(10);

pub(super) struct Client {
    store: Arc<FilesStore>,
    mount: Mount,
}

pub(super) struct World {
    clients: Vec<Client>,
    /// A handle without a network.
    server: FilesStore,
    _folder: TempDir,
}

pub(super) async fn world(stale: Duration, rates: Rates, seed: u64) -> World {
    let folder = folder();
    let server = super::open(folder.path()).await;
    let mut clients = Vec::new();
    for number in 0..2 {
        let mount = Mount::of(folder.path(), stale, seed ^ number);
        let mut options = Options::at(mount.path());
        options.deadline = Duration::from_secs(20);
        let store = Arc::new(FilesStore::connect(options).await.unwrap());
        mount.set(rates);
        clients.push(Client { store, mount });
    }
    World {
        clients,
        server,
        _folder: folder,
    }
}

impl World {
    /// From here on nothing fails, and what was late is done.
    async fn heal(&self) {
        for client in &self.clients {
            client.mount.set(Rates::NONE);
        }
        tokio::time::sleep(STALE + Duration::from_millis(50)).await;
    }

    pub(super) fn store(&self, number: usize) -> Arc<FilesStore> {
        Arc::clone(&self.clients[number % 2].store)
    }

    fn faults(&self) -> u64 {
        self.clients
            .iter()
            .map(|client| client.mount.set(Rates::NONE))
            .sum()
    }
}

/// Asks until there is an answer.
async fn answered<T, F: Future<Output = Result<T, StoreError>>>(ask: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "no answer: {error:?}"),
        }
    }
}

/// S-08: increments by compare-and-set from both clients: each that was acknowledged counts once, and of the others each
/// at most once.
#[tokio::test(flavor = "multi_thread")]
async fn soak_s_08_no_increment_is_lost_by_faults() {
    let each = soak(25, 500);
    let world = world(STALE, Rates::MANY, seed()).await;
    let record = Sample::new(NOW).record();
    world
        .server
        .create(record.clone(), NONE, NOW)
        .await
        .unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let (store, id) = (world.store(number), record.id);
            tokio::spawn(async move { increments(&store, id, each as u64).await })
        })
        .collect();
    let (mut versions, mut unknown) = (Vec::new(), 0);
    for task in tasks {
        let (own, failed) = task.await.unwrap();
        versions.extend(own);
        unknown += failed;
    }
    world.heal().await;
    let distinct: BTreeSet<u64> = versions.iter().copied().collect();
    assert_eq!(
        distinct.len(),
        versions.len(),
        "a version was answered twice"
    );
    for store in [&world.server, &*world.store(0), &*world.store(1)] {
        let found = store.load(record.id).await.unwrap().unwrap().record;
        let count: u64 = found.data.read("count").unwrap().unwrap();
        assert_eq!(found.version, count + 1);
        let acknowledged = versions.len() as u64;
        assert!(
            (acknowledged..=acknowledged + unknown).contains(&count),
            "{acknowledged} acknowledged, {unknown} unknown, {count} kept"
        );
    }
    println!(
        "{} acknowledged, {unknown} unknown, {} faults",
        versions.len(),
        world.faults()
    );
    assert!(world.faults() > 50, "hardly a fault");
}

async fn increments(store: &FilesStore, id: SessionId, each: u64) -> (Vec<u64>, u64) {
    let (mut versions, mut unknown) = (Vec::new(), 0);
    while (versions.len() as u64) < each {
        let record = answered(|| store.load(id)).await.unwrap().record;
        let count: u64 = record.data.read("count").unwrap().unwrap_or(0);
        let change = samples::set("count", count + 1);
        let expect = Expect::Version(record.version);
        match store.update(id, expect, change, NONE, NOW).await {
            Ok(Updated::Done { record: newer, .. }) => {
                assert_eq!(newer.version, record.version + 1);
                versions.push(newer.version);
            }
            Ok(Updated::Conflict(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(_) => unknown += 1,
        }
    }
    (versions, unknown)
}

/// What is known of a session that one task has for itself.
#[derive(Debug, Default)]
struct Known {
    /// Values of `count` that it may have.
    may: BTreeSet<Option<u64>>,
    /// Whether it may be gone.
    may_be_gone: bool,
    ended: bool,
    /// It was not found, so there is nothing more to try.
    rests: bool,
}

/// S-12, S-15, I-02: each task has sessions of its own, one half through one client, one half through the other.
#[tokio::test(flavor = "multi_thread")]
async fn soak_what_was_acknowledged_survives_faults() {
    let steps = soak(60, 3000);
    let seed = seed();
    let world = world(STALE, Rates::MANY, seed).await;
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let stores = [world.store(number), world.store(number + 1)];
            let rng = StdRng::seed_from_u64(seed ^ number as u64);
            tokio::spawn(async move { live_and_let_die(stores, steps, rng).await })
        })
        .collect();
    let mut all = BTreeMap::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    world.heal().await;
    let ann = Scope::Subject {
        app: None,
        subject: samples::subject("ann"),
    };
    for store in [&world.server, &*world.store(0), &*world.store(1)] {
        let mut there = BTreeSet::new();
        for (id, known) in &all {
            let found = match store.load(*id).await {
                // What a writer left who broke off while it was just being removed.
                Err(error) if known.ended && error.kind() == ErrorKind::Corrupt => None,
                found => found.unwrap(),
            };
            if let Some(found) = &found {
                let count = found.record.data.read("count").unwrap();
                assert!(!known.ended, "{id} came back");
                assert!(known.may.contains(&count), "{id} has {count:?}: {known:?}");
                there.insert(*id);
            } else {
                assert!(known.may_be_gone || known.ended, "{id} is lost: {known:?}");
            }
        }
        let listed = SubjectIndex::list(store, ann.clone(), None, usize::MAX, NOW)
            .await
            .unwrap();
        let listed: BTreeSet<_> = listed.records.iter().map(|record| record.id).collect();
        assert_eq!(listed, there, "the listing");
    }
    println!("{} sessions, {} faults", all.len(), world.faults());
}

async fn live_and_let_die(
    stores: [Arc<FilesStore>; 2],
    steps: usize,
    mut rng: StdRng,
) -> BTreeMap<SessionId, Known> {
    let mut all: BTreeMap<SessionId, Known> = BTreeMap::new();
    for step in 0..steps as u64 {
        let store = &stores[rng.random_range(0..2)];
        let live: Vec<_> = all
            .iter()
            .filter(|(_, it)| !it.ended && !it.rests)
            .map(|(id, _)| *id)
            .collect();
        if live.len() < 3 {
            let epoch = answered(|| store.epoch()).await;
            let record = Sample::new(NOW).of("ann", epoch).record();
            let id = record.id;
            let answer = store.create(record, NONE, NOW).await;
            let known = all.entry(id).or_default();
            known.may.insert(None);
            known.may_be_gone = !matches!(answer, Ok(Created::Done(_)));
            continue;
        }
        let id = live[rng.random_range(0..live.len())];
        let known = all.get_mut(&id).unwrap();
        if rng.random_range(0..5) == 0 {
            match store.delete(id).await {
                Ok(Deleted::Done(_)) => known.ended = true,
                Ok(Deleted::Absent) => {
                    // A client may not have seen yet what the other has made.
                    (known.may_be_gone, known.rests) = (true, true);
                }
                Err(_) => known.may_be_gone = true,
            }
        } else {
            let change = samples::set("count", step);
            match store
                .update(id, Expect::Security(1), change, NONE, NOW)
                .await
            {
                Ok(Updated::Done { .. }) => {
                    assert!(!known.ended);
                    known.may = BTreeSet::from([Some(step)]);
                }
                Ok(Updated::Gone) => (known.may_be_gone, known.rests) = (true, true),
                Ok(other) => panic!("{other:?}"),
                Err(_) => drop(known.may.insert(Some(step))),
            }
        }
    }
    all
}

/// G-01, R-01, R-02, S-14: what only one may have, one has.
#[tokio::test(flavor = "multi_thread")]
async fn soak_one_winner_whatever_fails() {
    let world = world(STALE, Rates::MANY, seed()).await;
    let until = NOW.plus(Duration::from_secs(600));
    for round in 0..soak(8, 300) {
        let key = round.to_be_bytes();
        let name = format!("ring {round}");
        let tasks: Vec<_> = (0..4)
            .map(|number| {
                let (store, name) = (world.store(number), name.clone());
                tokio::spawn(async move {
                    let first = store.first_seen(&key, until, NOW).await;
                    let own = Bytes::from(number.to_string());
                    let put = store.put(Kind::Ring, &name, Expected::Absent, Some(own), None, NOW);
                    (first.unwrap_or(false), put.await.ok())
                })
            })
            .collect();
        let (mut firsts, mut done) = (0, Vec::new());
        let mut told = BTreeSet::new();
        for (number, task) in tasks.into_iter().enumerate() {
            let (first, put) = task.await.unwrap();
            firsts += u32::from(first);
            match put {
                Some(Put::Done(version)) => {
                    done.push(version);
                    told.insert(Bytes::from(number.to_string()));
                }
                Some(Put::Conflict(Some(there))) => drop(told.insert(there.value)),
                _ => {}
            }
        }
        assert!(firsts <= 1, "a key was new {firsts} times");
        assert!(done.len() <= 1, "an entry was new {} times", done.len());
        assert!(
            told.len() <= 1,
            "callers were told different entries: {told:?}"
        );
    }
    println!("{} faults", world.faults());
}

/// S-14: logins under a limit through both clients.
#[tokio::test(flavor = "multi_thread")]
async fn soak_s_14_the_limit_holds_whatever_fails() {
    let limit = SubjectLimit {
        max: Some(2),
        on_full: OnFull::EndOldest,
    };
    let world = world(STALE, Rates::MANY, seed()).await;
    for round in 0..soak(4, 100) {
        let name = format!("ann {round}");
        let epoch = world.server.epoch().await.unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|number| {
                let (store, name) = (world.store(number), name.clone());
                tokio::spawn(async move {
                    let mut done = 0;
                    for _ in 0..3 {
                        let record: Record = Sample::new(NOW).of(&name, epoch).record();
                        let answer = store.create(record, limit, NOW).await;
                        done += usize::from(matches!(answer, Ok(Created::Done(_))));
                    }
                    done
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        // What is late is done by now; the next login puts right what was broken off.
        tokio::time::sleep(STALE + Duration::from_millis(20)).await;
        let last = Sample::new(NOW).of(&name, epoch).record();
        let answer = world.server.create(last, limit, NOW).await.unwrap();
        assert!(matches!(answer, Created::Done(_)), "{answer:?}");
        let scope = Scope::Subject {
            app: None,
            subject: samples::subject(&name),
        };
        let listed = SubjectIndex::list(&world.server, scope, None, 10, NOW)
            .await
            .unwrap();
        // Whoever was told that he is in stays, or left for another who is.
        let least = if done > 0 { 2 } else { 1 };
        let left = listed.records.len();
        assert!(
            (least..=2).contains(&left),
            "{left} sessions left, {done} were told"
        );
    }
    println!("{} faults", world.faults());
}
