//! A primary is killed while sessions are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::lifecycle::{Proof, authenticate};
use cloakroom_core::store::{Expect, Scope, Store as _, SubjectIndex as _, Updated};
use cloakroom_core::{Policy, SubjectLimit, Timestamp};
use cloakroom_stores::RedisStore;
use cloakroom_stores::redis::Options;
use cloakroom_test_servers::redis::{Cluster, Redis, Sentinels};

use super::{cluster, load, sentinel, single};
use crate::soak;

fn now() -> Timestamp {
    single::now(&AtomicI64::new(0))
}

async fn connect(url: &str) -> Arc<RedisStore> {
    let options = Options::from_url(url).unwrap();
    Arc::new(RedisStore::connect(options).await.unwrap())
}

/// Waits until `count` more operations than now are done.
async fn until_done(log: &load::Log, count: u64) {
    let from = log.done.load(Ordering::Relaxed);
    let deadline = Instant::now() + Duration::from_secs(30);
    while log.done.load(Ordering::Relaxed) < from + count {
        assert!(Instant::now() < deadline, "the writers stand still");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Writes, kills `primary`, writes on, and looks what is left. `healthy` is whether others go on meanwhile.
async fn kill_under_load(name: &str, store: Arc<RedisStore>, primary: &Redis, healthy: bool) {
    let epoch = store.epoch().await.unwrap();
    let revoked = Sample::new(now()).of("revoked", epoch).record();
    let created = store.create(revoked.clone(), SubjectLimit::NONE, now());
    created.await.unwrap();
    let (log, writers) = load::start(&store, now);
    let (reads, readers) = load::readers(&store, now).await;
    until_done(&log, soak(2_000, 20_000) as u64).await;
    let scope = Scope::Subject {
        app: None,
        subject: samples::subject("revoked"),
    };
    let answer = store.revoke_all(scope, None, now()).await.unwrap();
    let killed = Instant::now();
    primary.kill();
    // Until every key is served again, by whoever was promoted.
    let serving = Instant::now() + Duration::from_secs(30);
    let keys: Vec<_> = (0..32).map(|_| Sample::new(now()).record().id).collect();
    for id in keys {
        while store.load(id).await.is_err() {
            assert!(Instant::now() < serving, "no replica was promoted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    while store.epoch().await.is_err() {
        assert!(Instant::now() < serving, "no replica was promoted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let recovered = killed.elapsed();
    until_done(&log, soak(2_000, 20_000) as u64).await;
    log.stop();
    reads.stop();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
    let second = Duration::from_secs(1);
    let before = reads.successes(killed - second, second);
    let meanwhile = reads.successes(killed + second / 5, second);
    let lost = load::check(&store, &log).await;
    println!(
        "{name}: all keys served after {recovered:?}, last failure after {:?}; {} operations, {} failed, \
         reads in the second before the kill {before}, in a second after it {meanwhile}; of {} sessions {} acknowledged without a subject \
         and {} acknowledged changes of data were lost",
        log.last_failure(killed),
        log.done.load(Ordering::Relaxed),
        log.failed.load(Ordering::Relaxed),
        lost.checked,
        lost.sessions,
        lost.versions,
    );
    assert!(
        lost.security.is_empty(),
        "lost security writes: {:#?}",
        lost.security
    );
    assert!(!healthy || meanwhile > 0, "healthy shards stood still");
    assert!(
        store.epoch().await.unwrap() >= answer.epoch,
        "the epoch went back"
    );
    let opens = store.load(revoked.id).await.unwrap();
    assert!(opens.is_none(), "a revoked session is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_a_cluster_loses_no_security_write() {
    let group = Cluster::six_nodes::<&str>([]);
    let store = connect(&cluster::url(&group, "deadline=1s")).await;
    // The one with the revocation clock: the worst to lose.
    let primary = group.primary_of("{e}");
    kill_under_load("cluster", store, primary, true).await;
}

/// Slots with keys in them move from one primary to another while sessions are written: nobody notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slots_move_under_load() {
    let group = Cluster::six_nodes::<&str>([]);
    let store = connect(&cluster::url(&group, "deadline=2s")).await;
    let (log, writers) = load::start(&store, now);
    let (reads, readers) = load::readers(&store, now).await;
    until_done(&log, 500).await;
    let [from, to] = ["{e}", "{s:0000}"].map(|key| group.primary_of(key).cli(["cluster", "myid"]));
    let (from, to) = if from == to {
        let other = group.primary_of("{s:0001}").cli(["cluster", "myid"]);
        (from, other)
    } else {
        (from, to)
    };
    assert_ne!(from, to, "two primaries");
    let count = soak(300, 3000).to_string();
    let at = group.addrs()[0].to_string();
    let words = [
        "--cluster",
        "reshard",
        &at,
        "--cluster-from",
        &from,
        "--cluster-to",
        &to,
        "--cluster-slots",
        &count,
        "--cluster-yes",
    ];
    let told = tokio::task::block_in_place(|| group.nodes()[0].cli(words));
    assert!(told.contains("Moving slot"), "{told}");
    until_done(&log, 500).await;
    log.stop();
    reads.stop();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
    let lost = load::check(&store, &log).await;
    println!(
        "slots moved: {} operations, {} reads, {} failed {} {}",
        log.done.load(Ordering::Relaxed),
        reads.done.load(Ordering::Relaxed),
        log.failed.load(Ordering::Relaxed) + reads.failed.load(Ordering::Relaxed),
        log.first.lock(),
        reads.first.lock(),
    );
    assert!(lost.security.is_empty(), "{:#?}", lost.security);
    assert_eq!(
        (lost.sessions, lost.versions),
        (0, 0),
        "sessions and changes lost"
    );
    assert_eq!(log.failed.load(Ordering::Relaxed), 0, "failed writes");
    assert_eq!(reads.failed.load(Ordering::Relaxed), 0, "failed reads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_sentinels_lose_no_security_write() {
    let group = Sentinels::three::<&str>([]);
    let store = connect(&sentinel::url(&group, "deadline=1s")).await;
    kill_under_load("sentinels", store, group.primary(), false).await;
}

/// Connections that are there stay logged in; the replicas' are broken and not taken again.
fn keep_from_replicas(primary: &Redis) {
    primary.cli(["config", "set", "requirepass", "x"]);
    let login = ["-a", "x", "--no-auth-warning"];
    let kill = ["client", "kill", "type", "replica"];
    assert_eq!(primary.cli(login.into_iter().chain(kill)), "2");
}

/// The replicas are kept from what is said last, so that whoever is promoted has missed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_promoted_replica_missed_is_said_again() {
    let group = Sentinels::three::<&str>([]);
    let store = connect(&sentinel::url(&group, "deadline=1s")).await;
    let epoch = store.epoch().await.unwrap();
    let sample = |subject: &str| Sample::new(now()).of(subject, epoch).record();
    let records = [
        sample("ended"),
        sample("changed"),
        sample("revoked"),
        sample("kept"),
    ];
    for record in &records {
        let created = store
            .create(record.clone(), SubjectLimit::NONE, now())
            .await;
        created.unwrap();
    }
    let primary = group.primary();
    keep_from_replicas(primary);
    store.delete(records[0].id).await.unwrap();
    let change = authenticate(
        &records[1],
        &Proof::of(samples::subject("changed")),
        epoch,
        &Policy::default(),
        now(),
        &rand::random(),
    )
    .change;
    let expect = Expect::Security(1);
    let none = SubjectLimit::NONE;
    let update = store
        .update(records[1].id, expect, change, none, now())
        .await;
    assert!(matches!(update, Ok(Updated::Done { .. })), "{update:?}");
    let scope = Scope::Subject {
        app: None,
        subject: samples::subject("revoked"),
    };
    let revoked = store.revoke_all(scope, None, now()).await.unwrap();
    primary.kill();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = store.load(records[1].id).await;
        if found.is_ok_and(|found| found.is_some_and(|f| f.record.security.version == 2)) {
            break;
        }
        assert!(Instant::now() < deadline, "a login was not said again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        store.load(records[0].id).await.unwrap().is_none(),
        "an ended session is back"
    );
    let loaded = store.load(records[2].id).await.unwrap();
    let opens = loaded.is_some_and(|f| f.record.security.admitted >= f.not_before);
    assert!(!opens, "a revoked session is back");
    assert!(
        store.epoch().await.unwrap() >= revoked.epoch,
        "the epoch went back"
    );
    assert!(
        store.load(records[3].id).await.unwrap().is_some(),
        "another session is lost"
    );
}
