//! One server on its bad days: out of reach, frozen, read-only, full, without its scripts, likely to forget.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{
    Created, ErrorKind, Expect, Kind, Registry as _, Store as _, SubjectIndex as _, Updated,
};
use cloakroom_core::{Record, StoreError, SubjectLimit, Timestamp};
use cloakroom_stores::RedisStore;
use cloakroom_stores::redis::Options;
use cloakroom_test_servers::Proxy;
use cloakroom_test_servers::redis::Redis;

use super::single;

const NONE: SubjectLimit = SubjectLimit::NONE;

fn now() -> Timestamp {
    single::now(&AtomicI64::new(0))
}

async fn try_connect(url: &str) -> Result<Arc<RedisStore>, StoreError> {
    RedisStore::connect(Options::from_url(url).unwrap())
        .await
        .map(Arc::new)
}

async fn connect(redis: &Redis) -> Arc<RedisStore> {
    try_connect(&format!("redis://{}?deadline=1s", redis.addr()))
        .await
        .unwrap()
}

/// A kept session.
async fn kept(store: &RedisStore) -> Record {
    let epoch = store.epoch().await.unwrap();
    let record = Sample::new(now()).of("ann", epoch).record();
    let created = store.create(record.clone(), NONE, now()).await.unwrap();
    assert!(matches!(created, Created::Done(_)), "{created:?}");
    record
}

async fn edit(store: &RedisStore, record: &Record) -> Result<Updated, StoreError> {
    let change = samples::set("a", 1);
    store
        .update(record.id, Expect::Security(1), change, NONE, now())
        .await
}

fn kind<T>(answer: Result<T, StoreError>) -> Option<ErrorKind> {
    answer.err().map(|error| error.kind())
}

/// Asks until the answer is as wanted.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const AWAY: Option<ErrorKind> = Some(ErrorKind::Unavailable);

#[tokio::test]
async fn a_network_that_is_cut_or_silent_is_an_error_and_heals() {
    let redis = Redis::single::<&str>([]);
    let proxy = Proxy::start(redis.addr());
    let store = try_connect(&format!("redis://{}", proxy.addr()))
        .await
        .unwrap();
    let record = kept(&store).await;
    for bad in [Proxy::cut, Proxy::freeze] {
        bad(&proxy);
        let started = Instant::now();
        assert_eq!(kind(store.load(record.id).await), AWAY);
        println!("the first load failed after {:?}", started.elapsed());
        // Many together, as a server would send them: none hangs, and nobody queues behind another.
        let many = (0..200).map(|_| store.load(record.id));
        let many = tokio::time::timeout(Duration::from_secs(10), futures_join(many));
        for answer in many.await.unwrap() {
            assert_eq!(kind(answer), AWAY);
        }
        let started = Instant::now();
        assert_eq!(kind(edit(&store, &record).await), AWAY);
        println!(
            "once known to be away, an update failed after {:?}",
            started.elapsed()
        );
        proxy.heal();
        let started = Instant::now();
        until("it comes back", async || {
            store.load(record.id).await.is_ok()
        })
        .await;
        println!("back after {:?}", started.elapsed());
        assert!(matches!(
            edit(&store, &record).await.unwrap(),
            Updated::Done { .. }
        ));
    }
}

async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(all).await
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_and_its_watchers_outlast_it() {
    let redis = Redis::single::<&str>([]);
    let store = connect(&redis).await;
    let record = kept(&store).await;
    let watcher = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.changed(Kind::Setting, 0).await })
    };
    redis.freeze();
    for _ in 0..5 {
        assert_eq!(kind(store.load(record.id).await), AWAY);
        assert_eq!(kind(edit(&store, &record).await), AWAY);
        assert_eq!(kind(store.delete(record.id).await), AWAY);
    }
    redis.thaw();
    until("it comes back", async || store.epoch().await.is_ok()).await;
    let expected = cloakroom_core::store::Expected::Anything;
    let value = Some(bytes::Bytes::from_static(b"x"));
    let put = store.put(Kind::Setting, "a", expected, value, None, now());
    put.await.unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(10), watcher).await;
    assert!(woken.unwrap().unwrap().unwrap() > 0);
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_learns_them_again() {
    let redis = Redis::single::<&str>([]);
    let store = connect(&redis).await;
    let record = kept(&store).await;
    for _ in 0..3 {
        redis.cli(["script", "flush"]);
        assert!(matches!(
            edit(&store, &record).await.unwrap(),
            Updated::Done { .. }
        ));
        redis.cli(["script", "flush"]);
        kept(&store).await;
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes_says_so() {
    let redis = Redis::single(["--enable-protected-configs", "yes"]);
    let store = connect(&redis).await;
    let record = kept(&store).await;
    redis.cli(["config", "set", "maxmemory", "1"]);
    assert_eq!(kind(edit(&store, &record).await), Some(ErrorKind::Full));
    let new = Sample::new(now()).record();
    let answer = store.create(new, NONE, now()).await;
    assert_eq!(kind(answer), Some(ErrorKind::Full));
    assert!(
        store.load(record.id).await.unwrap().is_some(),
        "reads go on"
    );
    // What denies must take effect also where there is no room.
    assert!(
        store.delete(record.id).await.is_ok(),
        "an end needs no room"
    );
    redis.cli(["config", "set", "maxmemory", "0"]);
    let record = kept(&store).await;
    redis.cli(["config", "set", "maxmemory", "1"]);
    let scope = cloakroom_core::store::Scope::Subject {
        app: None,
        subject: samples::subject("ann"),
    };
    let revoked = store.revoke_all(scope, None, now()).await;
    assert_eq!(
        kind(revoked),
        Some(ErrorKind::Full),
        "no room for a not-before"
    );
    assert!(
        store.load(record.id).await.unwrap().is_none(),
        "what it could end has ended"
    );
    redis.cli(["config", "set", "maxmemory", "0"]);

    let record = kept(&store).await;
    let dir = redis.dir().join("gone");
    std::fs::create_dir(&dir).unwrap();
    redis.cli(["config", "set", "dir", dir.to_str().unwrap()]);
    std::fs::remove_dir(&dir).unwrap();
    redis.cli(["config", "set", "save", "3600 1"]);
    redis.cli(["bgsave"]);
    until("a snapshot failed", async || {
        redis
            .cli(["info", "persistence"])
            .contains("rdb_last_bgsave_status:err")
    })
    .await;
    assert_eq!(kind(edit(&store, &record).await), AWAY);
    assert!(
        store.load(record.id).await.unwrap().is_some(),
        "reads go on"
    );
    redis.cli(["config", "set", "save", ""]);

    redis.cli(["replicaof", "127.0.0.1", "1"]);
    assert_eq!(kind(edit(&store, &record).await), AWAY);
    redis.cli(["replicaof", "no", "one"]);
    until("it takes writes again", async || {
        edit(&store, &record).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused() {
    let redis = Redis::single(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let url = format!("redis://{}", redis.addr());
    let refused = try_connect(&url).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    assert!(
        refused.to_string().contains("maxmemory-policy"),
        "{refused}"
    );
    let store = try_connect(&format!("{url}?allow_eviction=true"))
        .await
        .unwrap();
    kept(&store).await;
}

#[tokio::test]
async fn nodes_that_divide_otherwise_are_refused() {
    let redis = Redis::single::<&str>([]);
    let store = connect(&redis).await;
    let url = format!("redis://{}?buckets=7", redis.addr());
    assert_eq!(kind(try_connect(&url).await), Some(ErrorKind::Denied));
    let apart = try_connect(&format!("{url}&prefix=other:")).await.unwrap();
    let record = kept(&store).await;
    assert!(
        apart.load(record.id).await.unwrap().is_none(),
        "prefixes are apart"
    );
}

#[tokio::test]
async fn a_session_that_outlives_a_not_before_is_refused() {
    let redis = Redis::single::<&str>([]);
    let store = connect(&redis).await;
    let mut record = Sample::new(now()).record();
    record.security.hard_cap = now().plus(Duration::from_secs(400 * 24 * 60 * 60));
    let answer = store.create(record.clone(), NONE, now()).await;
    assert_eq!(kind(answer), Some(ErrorKind::Denied));
    assert!(store.load(record.id).await.unwrap().is_none());
}

#[tokio::test]
async fn durability_is_what_the_server_says() {
    use cloakroom_core::store::Profile;
    let durable = async |config: &[&str], rest: &str| {
        let redis = Redis::single(config);
        let store = try_connect(&format!("redis://{}{rest}", redis.addr())).await;
        let Profile { durable, .. } = store.unwrap().profile();
        durable
    };
    let always = ["--appendonly", "yes", "--appendfsync", "always"];
    let everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
    assert!(durable(&always, "").await);
    assert!(!durable(&everysec, "").await);
    assert!(!durable(&[], "").await);
    assert!(durable(&everysec, "?durable=true").await);
}

/// Whatever is asked of it, a server that nobody started is one error, and it names no secret.
#[tokio::test]
async fn nobody_there_is_one_clear_error() {
    let port = cloakroom_test_servers::free_port();
    let error = try_connect(&format!("redis://user:hunter2@127.0.0.1:{port}"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!format!("{error:?}").contains("hunter2"));
    assert!(
        std::error::Error::source(&error).is_some(),
        "it tells its cause"
    );
}
