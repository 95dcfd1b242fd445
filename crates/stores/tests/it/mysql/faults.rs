//! A server that refuses, is slow, is gone, or comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{
    Created, ErrorKind, Expect, Store as _, StoreError, SubjectIndex as _,
};
use cloakroom_core::{Record, SessionId, SubjectLimit};
use cloakroom_stores::sql::mysql::{MysqlStore, Options};
use cloakroom_test_servers::{Mariadb, Proxy};
use mysql_async::prelude::Queryable as _;

use super::server::{Database, alone, in_use};

fn port() -> u16 {
    Mariadb::shared().addr().port()
}

async fn create(database: &Database, store: &MysqlStore) -> Result<SessionId, StoreError> {
    let now = database.now();
    let record = Sample::new(now).record();
    let id = record.id;
    let answer = store.create(record, SubjectLimit::NONE, now).await?;
    assert!(matches!(answer, Created::Done(_)));
    Ok(id)
}

/// Everything that an error says of itself, as a log would show it.
fn told(error: &StoreError) -> String {
    format!("{error} {error:?}")
}

#[tokio::test]
async fn a_refusal_is_told_without_the_password() {
    let _in_use = in_use().await;
    let database = Database::make().await;
    let url = database.url(port());
    let wrong = [
        url.replace("a%20b%40", "hidden"),
        url.replace("cloakroom:", "nobody:hidden"),
        url.replace(&format!("/{}", database.name), "/missing"),
    ];
    for url in wrong {
        let options = Options::from_url(&url).unwrap();
        assert!(!format!("{options:?}").contains("hidden"));
        let error = MysqlStore::connect(options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{}", told(&error));
        assert!(!told(&error).contains("hidden"), "{}", told(&error));
        assert!(!told(&error).contains("c/d"), "{}", told(&error));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a b@c/d?e\n").unwrap();
    let url = url.replace(":a%20b%40c%2Fd%3Fe@", "@");
    let url = format!("{url}?password_file={}", file.path().display());
    MysqlStore::connect(Options::from_url(&url).unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let port = cloakroom_test_servers::free_port();
    let url = format!("mysql://u:hidden@127.0.0.1:{port}/d");
    let error = MysqlStore::connect(Options::from_url(&url).unwrap()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", told(&error));
    assert!(!told(&error).contains("hidden"));
}

#[tokio::test]
async fn a_server_whose_settings_do_not_do_is_refused() {
    let _alone = alone().await;
    let database = Database::make().await;
    let server = Mariadb::shared();
    server.sql("SET GLOBAL max_allowed_packet = 4194304");
    let small = MysqlStore::connect(database.options(port())).await;
    server.sql("SET GLOBAL max_allowed_packet = 16777216");
    assert_eq!(small.unwrap_err().kind(), ErrorKind::Denied);

    // The account of the tests may write also then.
    server.sql("CREATE USER plain@'%' IDENTIFIED BY 'x'");
    server.sql(&format!("GRANT ALL ON {}.* TO plain@'%'", database.name));
    let url = format!("mysql://plain:x@127.0.0.1:{}/{}", port(), database.name);
    let store = MysqlStore::connect(Options::from_url(&url).unwrap())
        .await
        .unwrap();
    let id = create(&database, &store).await.unwrap();
    server.sql("SET GLOBAL read_only = 1");
    let answer = create(&database, &store).await;
    let read = store.load(id).await;
    server.sql("SET GLOBAL read_only = 0");
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Denied);
    assert!(read.unwrap().is_some(), "a read-only server is not read");
    create(&database, &store).await.unwrap();
}

/// S-17: a network that swallows everything: nothing hangs past its deadline, and soon nothing waits at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_network_holds_nobody_up() {
    const DEADLINE: Duration = Duration::from_millis(500);
    let _in_use = in_use().await;
    let database = Database::make().await;
    let proxy = Proxy::start(Mariadb::shared().addr());
    let mut options = database.options(proxy.addr().port());
    options.deadline = DEADLINE;
    let store = Arc::new(MysqlStore::connect(options).await.unwrap());
    let id = create(&database, &store).await.unwrap();
    proxy.freeze();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.load(id).await });
    }
    for answer in tasks.join_all().await {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    // Known to be gone: of many that ask now, one at most tries.
    let begun = Instant::now();
    for _ in 0..200 {
        let answer = tokio::time::timeout(DEADLINE * 4, store.load(id)).await;
        let answer = answer.expect("it hangs past its deadline");
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(
        begun.elapsed() < DEADLINE * 200 / 4,
        "everybody waits for his deadline"
    );
    proxy.heal();
    back(&store).await;
    assert!(store.load(id).await.unwrap().is_some());
}

async fn back(store: &MysqlStore) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.epoch().await.is_err() {
        assert!(Instant::now() < deadline, "it does not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn count_for_ever(store: Arc<MysqlStore>, record: Record, told: Arc<AtomicU64>) {
    let mut version = 1;
    loop {
        let change = samples::set("count", version);
        let expect = Expect::Version(version);
        let none = SubjectLimit::NONE;
        let now = record.security.created_at;
        let answer = store.update(record.id, expect, change, none, now).await;
        match answer {
            Ok(cloakroom_core::store::Updated::Done { record, .. }) => {
                version = record.version;
                told.store(version, Ordering::SeqCst);
            }
            // One that was under way when the server died may have been kept.
            Ok(cloakroom_core::store::Updated::Conflict(newer)) => version = newer.record.version,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// S-15: the server is killed under writers and comes back: they go on by themselves, and nothing acknowledged is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_and_is_found_again() {
    let alone = alone().await;
    let database = Database::make().await;
    let store = database.connect().await;
    let mut tasks = tokio::task::JoinSet::new();
    let mut writers = Vec::new();
    for _ in 0..8 {
        let record = Sample::new(database.now()).record();
        let answer = store
            .create(record.clone(), SubjectLimit::NONE, database.now())
            .await;
        assert!(matches!(answer.unwrap(), Created::Done(_)));
        let told = Arc::new(AtomicU64::new(1));
        writers.push((record.id, Arc::clone(&told)));
        tasks.spawn(count_for_ever(Arc::clone(&store), record, told));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told: Vec<_> = writers.iter().map(|(_, told)| Arc::clone(told)).collect();
    let known = move || {
        let known = told.iter().map(|told| told.load(Ordering::SeqCst));
        known.collect::<Vec<u64>>()
    };
    let before = alone.restart(known).await;
    let begun = Instant::now();
    while writers
        .iter()
        .zip(&before)
        .any(|((_, told), before)| told.load(Ordering::SeqCst) <= before + 5)
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "writers do not go on"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("writers went on {:?} after the server", begun.elapsed());
    tasks.shutdown().await;
    for (id, told) in writers {
        let version = store.load(id).await.unwrap().unwrap().record.version;
        assert!(
            version >= told.load(Ordering::SeqCst),
            "an acknowledged write is lost"
        );
    }
}

/// A connection that the server closed while it rested is noticed, and nobody is told.
#[tokio::test]
async fn connections_that_were_closed_meanwhile_are_replaced() {
    let _in_use = in_use().await;
    let database = Database::make().await;
    let store = database.connect().await;
    let id = create(&database, &store).await.unwrap();
    let mut conn = database.raw().await;
    let sql = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
        database.name
    );
    for round in 0..2 {
        let ids: Vec<u64> = conn.query(&*sql).await.unwrap();
        assert!(!ids.is_empty());
        for id in ids {
            conn.query_drop(format!("KILL {id}")).await.unwrap();
        }
        if round == 0 {
            assert!(store.load(id).await.unwrap().is_some());
        } else {
            // A write is not repeated blindly, but a connection that rested is asked first.
            tokio::time::sleep(Duration::from_millis(1100)).await;
            create(&database, &store).await.unwrap();
        }
    }
}
