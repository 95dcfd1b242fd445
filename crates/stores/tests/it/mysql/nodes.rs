//! Nodes that share a database: processes that write at once, tables made once, and no deadlock among all verbs.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::lifecycle::{Proof, authenticate};
use cloakroom_core::policy::OnFull;
use cloakroom_core::store::{
    Created, ErrorKind, Expect, Scope, Store as _, SubjectIndex as _, Updated,
};
use cloakroom_core::{Activity, Policy, Record, SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::sql::mysql::{MysqlStore, Options};
use cloakroom_test_servers::Mariadb;
use mysql_async::prelude::Queryable as _;

use super::server::{Database, in_use};
use crate::soak;

const URL: &str = "CLOAKROOM_TEST_MYSQL_URL";
const COUNTED: &str = "CLOAKROOM_TEST_MYSQL_COUNTED";
const WRITERS: usize = 64;

fn rounds() -> usize {
    soak(2, 1000)
}

async fn increment(store: &MysqlStore, id: SessionId) {
    let mut seen = store.load(id).await.unwrap().unwrap().record;
    loop {
        let count = seen.data.get("count").and_then(|n| n.parse::<u64>().ok());
        let change = samples::set("count", count.unwrap_or(0) + 1);
        let expect = Expect::Version(seen.version);
        let none = SubjectLimit::NONE;
        let answer = store
            .update(id, expect, change, none, Timestamp::EPOCH)
            .await;
        match answer.unwrap() {
            Updated::Done { .. } => return,
            Updated::Conflict(newer) => seen = newer.record,
            other => panic!("{other:?}"),
        }
    }
}

async fn count(store: Arc<MysqlStore>, id: SessionId) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..rounds() {
                increment(&store, id).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Not a test of its own: what the other process does.
#[test]
fn child_of_the_test_with_processes() {
    let (Ok(url), Ok(id)) = (std::env::var(URL), std::env::var(COUNTED)) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = MysqlStore::connect(Options::from_url(&url).unwrap()).await;
        let id = SessionId::from_str(&id).unwrap();
        count(Arc::new(store.unwrap()), id).await;
    });
}

/// S-08, S-04: 64 writers in each of two processes and none of their increments is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_08_two_processes_lose_no_increment() {
    let _in_use = in_use().await;
    let database = Database::make().await;
    let store = database.connect().await;
    let record = Sample::new(database.now()).record();
    let id = record.id;
    let none = SubjectLimit::NONE;
    let answer = store.create(record, none, database.now()).await.unwrap();
    assert!(matches!(answer, Created::Done(_)));
    let url = database.url(Mariadb::shared().addr().port());
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args([
            "mysql::nodes::child_of_the_test_with_processes",
            "--exact",
            "--nocapture",
        ])
        .env(URL, format!("{url}?deadline=20s"))
        .env(COUNTED, id.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    count(Arc::clone(&store), id).await;
    let ended = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(other.stdout.take().unwrap()).lines();
        lines.for_each(drop);
        other.wait().unwrap()
    });
    assert!(ended.await.unwrap().success());
    let found = store.load(id).await.unwrap().unwrap().record;
    let wanted = (2 * WRITERS * rounds()).to_string();
    assert_eq!(found.data.get("count"), Some(&*wanted));
}

/// Nodes that start together on an empty database agree; starting again changes nothing, also beside one that serves;
/// a database of a later release is refused if it says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_are_made_once() {
    let _in_use = in_use().await;
    let database = Arc::new(Database::make().await);
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let database = Arc::clone(&database);
        starting.spawn(async move {
            let store = database.connect().await;
            let record = Sample::new(database.now()).record();
            let id = record.id;
            let answer = store
                .create(record, SubjectLimit::NONE, database.now())
                .await;
            assert!(matches!(answer.unwrap(), Created::Done(_)));
            (store, id)
        });
    }
    let nodes = starting.join_all().await;
    let again = database.connect().await;
    for (store, id) in &nodes {
        assert!(store.load(*id).await.unwrap().is_some());
        assert!(again.load(*id).await.unwrap().is_some());
    }
    let mut conn = database.raw().await;
    let options = database.options(Mariadb::shared().addr().port());
    // One that only added something, and one that this release cannot share a database with.
    for (needs, fits) in [(1, true), (9, false)] {
        let sql = format!("UPDATE cloakroom_schema SET version = 9, needs = {needs}");
        conn.query_drop(sql).await.unwrap();
        let opened = MysqlStore::connect(options.clone()).await;
        let kind = opened.as_ref().map_err(cloakroom_core::StoreError::kind);
        assert_eq!(kind.map(|_| ()).err(), (!fits).then_some(ErrorKind::Denied));
    }
}

/// What one task of the storm does: every verb, on sessions and subjects that all share.
async fn storm(store: Arc<MysqlStore>, now: Timestamp, ids: Arc<Vec<SessionId>>, rounds: usize) {
    let limit = SubjectLimit {
        max: Some(2),
        on_full: OnFull::EndOldest,
    };
    for round in 0..rounds {
        let subject = ["ann", "ben", "eve"][rand::random_range(0..3)];
        let other = ids[rand::random_range(0..ids.len())];
        let admitted = store.epoch().await.unwrap();
        let record: Record = Sample::new(now).of(subject, admitted).record();
        let done = store.create(record.clone(), limit, now).await.unwrap();
        assert!(!matches!(done, Created::Exists));
        // A session of one subject logs in as another.
        if let Some(found) = store.load(other).await.unwrap() {
            let proof = Proof::of(samples::subject(subject));
            let policy = Policy::default();
            let secret = rand::random();
            let change =
                authenticate(&found.record, &proof, admitted, &policy, now, &secret).change;
            let expect = Expect::Security(found.record.security.version);
            store
                .update(other, expect, change, limit, now)
                .await
                .unwrap();
        }
        let edit = samples::set("round", round as u64);
        let expect = Expect::Security(record.security.version);
        store
            .update(record.id, expect, edit, limit, now)
            .await
            .unwrap();
        // And of one that others change as well.
        if let Some(found) = store.load(other).await.unwrap() {
            let expect = Expect::Security(found.record.security.version);
            let edit = samples::set("round", round as u64);
            store.update(other, expect, edit, limit, now).await.unwrap();
        }
        let activity = Activity {
            last_seen: now,
            idle_deadline: now.plus(Duration::from_secs(3600)),
        };
        store.touch(other, activity, now).await.unwrap();
        store.flush().await.unwrap();
        match rand::random_range(0..6) {
            0 => drop(store.delete(record.id).await.unwrap()),
            1 => {
                let subject = samples::subject(subject);
                let scope = Scope::Subject { app: None, subject };
                store.revoke_all(scope, Some(record.id), now).await.unwrap();
            }
            2 => drop(store.sweep(now, 50).await.unwrap()),
            _ => {}
        }
    }
}

/// All verbs at once from two nodes: none fails, and the server saw no deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_all_verbs_at_once_meet_no_deadlock() {
    let _in_use = in_use().await;
    let database = Database::make().await;
    let now = database.now();
    let nodes = [database.connect().await, database.connect().await];
    let mut ids = Vec::new();
    for _ in 0..6 {
        let record = Sample::new(now).record();
        ids.push(record.id);
        nodes[0]
            .create(record, SubjectLimit::NONE, now)
            .await
            .unwrap();
    }
    let ids = Arc::new(ids);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = Arc::clone(&nodes[number % 2]);
        tasks.spawn(storm(store, now, Arc::clone(&ids), soak(12, 600)));
    }
    tasks.join_all().await;
    let log = Mariadb::shared().log().to_lowercase();
    let deadlocks = log.matches("deadlock detected").count();
    let marked = log.find("deadlock detected").unwrap_or(0);
    assert_eq!(
        deadlocks,
        0,
        "{}",
        &log[marked..(marked + 400_000).min(log.len())]
    );
}
