//! Several nodes on one database.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{Expect, Scope, Store as _, SubjectIndex as _, Touched, Updated};
use cloakroom_core::{Activity, SessionId};
use cloakroom_stores::sql::postgres::{Notice, PostgresStore};
use cloakroom_test_servers::postgres::Postgres;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinSet;

use super::kit::{NONE, ann, create, login, now, number, open, two, until, url};
use crate::soak;

/// URL and session id of the work that a second process does.
const CHILD: &str = "CLOAKROOM_TEST_POSTGRES_CHILD";

/// 64 writers, each counting up by version.
async fn count_up(store: Arc<PostgresStore>, id: SessionId, each: u64) {
    let mut writers = JoinSet::new();
    for _ in 0..64 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut current = store.load(id).await.unwrap().unwrap().record;
            let mut done = 0;
            while done < each {
                let count: u64 = current.data.read("count").unwrap().unwrap_or(0);
                let change = samples::set("count", count + 1);
                let expect = Expect::Version(current.version);
                current = match store.update(id, expect, change, NONE, now()).await.unwrap() {
                    Updated::Done { record, .. } => {
                        done += 1;
                        record
                    }
                    Updated::Conflict(newer) => newer.record,
                    other => panic!("an increment: {other:?}"),
                };
            }
        });
    }
    writers.join_all().await;
}

/// Not a test of its own: what the second process does.
#[tokio::test(flavor = "multi_thread")]
async fn child_of_the_two_processes() {
    let Ok(work) = std::env::var(CHILD) else {
        return;
    };
    let (id, url) = work.split_once(' ').unwrap();
    let store = Arc::new(open(url).await.unwrap());
    count_up(store, id.parse().unwrap(), soak(2, 1000) as u64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_two_processes_of_64_writers_lose_no_increment() {
    let each = soak(2, 1000) as u64;
    let (store, _, schema, _using) = two().await;
    let record = Sample::new(now()).record();
    create(&store, &record).await;
    // In the full run one session takes 128,000 writes, in turn.
    let url = format!(
        "{}&deadline=60s",
        url(Postgres::shared().address(), &schema)
    );
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["postgres::nodes::child_of_the_two_processes", "--exact"])
        .env(CHILD, format!("{} {url}", record.id))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let own = Arc::new(open(&url).await.unwrap());
    count_up(own, record.id, each).await;
    let ended = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stdout)
    );
    let kept = store.load(record.id).await.unwrap().unwrap().record;
    assert_eq!(kept.data.read::<u64>("count").unwrap(), Some(2 * 64 * each));
    assert_eq!(kept.version, 1 + 2 * 64 * each);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_does_the_other_is_told() {
    let (one, other, _, _using) = two().await;
    let mut heard = other.notices();
    let record = Sample::new(now()).record();
    create(&one, &record).await;
    // It listens from some moment on; until then it says that it may have missed something.
    until("the other listens", async || {
        one.revoke_all(ann(), None, now()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::iter::from_fn(|| heard.try_recv().ok()).any(|notice| notice == Notice::Scope(ann()))
    })
    .await;
    let mut next = async || loop {
        let notice = tokio::time::timeout(Duration::from_secs(20), heard.recv());
        match notice.await.unwrap().unwrap() {
            Notice::Scope(scope) if scope == ann() => {}
            notice => return notice,
        }
    };
    let change = login(&one, &record, "ben").await;
    let expect = Expect::Security(1);
    one.update(record.id, expect, change, NONE, now())
        .await
        .unwrap();
    assert_eq!(next().await, Notice::Session(record.id));
    // Data is not told: a notice for every write would make commits wait for each other.
    let change = samples::set("a", 1);
    one.update(record.id, Expect::Version(2), change, NONE, now())
        .await
        .unwrap();
    one.delete(record.id).await.unwrap();
    assert_eq!(next().await, Notice::Session(record.id));
    one.revoke_all(Scope::Everything, None, now())
        .await
        .unwrap();
    assert_eq!(next().await, Notice::Scope(Scope::Everything));
    assert_eq!(heard.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_is_seen_here_at_once_and_elsewhere_soon() {
    let (one, other, schema, _using) = two().await;
    let started = now();
    let mut records = Vec::new();
    for _ in 0..300 {
        let record = Sample::new(started).record();
        create(&one, &record).await;
        one.load(record.id).await.unwrap();
        records.push(record);
    }
    let activity = Activity {
        last_seen: started.plus(Duration::from_secs(1)),
        idle_deadline: started.plus(samples::IDLE * 2),
    };
    // Few of a page: each page has room for some new versions of its rows.
    for record in records.iter().step_by(10) {
        let touched = one.touch(record.id, activity, started).await.unwrap();
        assert_eq!(touched, Touched::Done);
    }
    let first = one.load(records[0].id).await.unwrap().unwrap().record;
    assert_eq!(first.activity, activity, "to the node that noted it");
    for record in records.iter().step_by(10) {
        until("a touch is written", async || {
            other
                .load(record.id)
                .await
                .unwrap()
                .unwrap()
                .record
                .activity
                == activity
        })
        .await;
    }
    // Many at a time, and no index was written: that is what keeps a touch cheap.
    let server = Postgres::shared();
    until("the server has counted", async || {
        let counts = format!(
            "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = '{schema}' \
             AND relname = 'sessions' AND n_tup_upd >= 30 AND n_tup_hot_upd = n_tup_upd"
        );
        number(server, &counts).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_revocation_is_counted_and_cleared() {
    let (one, other, schema, _using) = two().await;
    let epoch = one.epoch().await.unwrap();
    let store = Arc::new(one);
    let mut logins = JoinSet::new();
    for number in 0..1200 {
        let store = Arc::clone(&store);
        logins.spawn(async move {
            let record = Sample::new(now()).of("ann", epoch);
            let record = if number % 3 == 0 {
                record.app("shop")
            } else {
                record
            }
            .record();
            create(&store, &record).await;
            record.id
        });
    }
    let ids = logins.join_all().await;
    let bystander = Sample::new(now()).of("ben", epoch).record();
    create(&store, &bystander).await;
    let revoked = store.revoke_all(ann(), None, now()).await.unwrap();
    assert_eq!((revoked.count, revoked.ids.len()), (1200, 1200));
    for id in ids.iter().step_by(50) {
        if let Some(loaded) = other.load(*id).await.unwrap() {
            assert!(loaded.record.security.admitted < loaded.not_before);
        }
    }
    let rows = format!("SELECT count(*) FROM {schema}.sessions");
    until("its rows are removed", async || {
        number(Postgres::shared(), &rows).await == 1
    })
    .await;
    assert!(other.load(bystander.id).await.unwrap().is_some());
}
