//! What is measured.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Expect, Scope, Store as _, SubjectIndex as _, Updated};
use cloakroom_core::{
    Activity, Change, Edits, JsonText, Policy, Record, Subject, SubjectLimit, Timestamp,
};
use cloakroom_stores::sql::postgres::{Options, PostgresStore};
use cloakroom_test_servers::postgres::Postgres;
use tokio::task::JoinSet;

use crate::client::{Raw, number, run};
use crate::report::Report;

const NONE: SubjectLimit = SubjectLimit::NONE;
const READS: usize = 4;
const WRITES: usize = 8;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_millis(i64::try_from(since.unwrap().as_millis()).unwrap())
}

fn subject(number: usize) -> Subject {
    Subject::new(format!("user-{number}")).unwrap()
}

/// A session of about 450 bytes.
fn record(number: usize, admitted: Epoch) -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&"x".repeat(250)).unwrap());
    let what = Begin {
        proof: Some(Proof::of(subject(number))),
        admitted,
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), now(), &rand::random()).0
}

fn change(number: usize) -> Change {
    let mut edits = Edits::new();
    edits.set("count", JsonText::of(&number).unwrap());
    Change::of_data(edits)
}

/// `tasks` at once do `work` with a session after another, each with sessions of its own, until `end`.
async fn many<W, R>(tasks: usize, records: &Arc<Vec<Record>>, end: Instant, work: W) -> usize
where
    W: Fn(usize, usize) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (work, records) = (work.clone(), records.len());
        running.spawn(async move {
            let mut done = 0;
            while Instant::now() < end {
                work((task + done * tasks) % records, done).await;
                done += 1;
            }
            done
        });
    }
    running.join_all().await.into_iter().sum()
}

async fn fill(raw: &Arc<Raw>, store: &Arc<PostgresStore>, sessions: usize) -> Arc<Vec<Record>> {
    let epoch = store.epoch().await.unwrap();
    let records: Arc<Vec<_>> =
        Arc::new((0..sessions).map(|number| record(number, epoch)).collect());
    let mut filling = JoinSet::new();
    for task in 0..256 {
        let (raw, store, records) = (Arc::clone(raw), Arc::clone(store), Arc::clone(&records));
        filling.spawn(async move {
            for record in records.iter().skip(task).step_by(256) {
                raw.insert(record).await;
                store.create(record.clone(), NONE, now()).await.unwrap();
            }
        });
    }
    filling.join_all().await;
    records
}

pub(crate) async fn all(report: &mut Report, sessions: usize) {
    let server = Postgres::on_disk(&["shared_buffers=1GB", "max_wal_size=4GB"]);
    let address = server.address();
    let url = format!(
        "postgres://postgres@{address}/postgres?deadline=30s\
         &read_connections={READS}&write_connections={WRITES}"
    );
    let store = PostgresStore::connect(Options::from_url(&url).unwrap()).await;
    let store = Arc::new(store.unwrap());
    let raw = Raw::connect(address, READS).await;
    let records = fill(&raw, &store, sessions).await;
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        run(address, statement).await;
    }
    sizes(report, address, &records).await;
    loads(report, &raw, &store, &records).await;
    updates(report, address, &store, &records).await;
    others(report, &store, &records).await;
}

async fn sizes(report: &mut Report, address: std::net::SocketAddr, records: &[Record]) {
    let sessions = records.len() as f64;
    report.add("record_bytes", records[0].encode().len() as f64);
    for (key, size) in [
        ("bytes_a_session", "pg_total_relation_size"),
        ("index_bytes_a_session", "pg_indexes_size"),
    ] {
        let bytes = format!("SELECT {size}('cloakroom.sessions')");
        report.add(key, number(address, &bytes).await as f64 / sessions);
    }
}

async fn loads(
    report: &mut Report,
    raw: &Arc<Raw>,
    store: &Arc<PostgresStore>,
    records: &Arc<Vec<Record>>,
) {
    let select = async |tasks, end| {
        let (raw, all) = (Arc::clone(raw), Arc::clone(records));
        let work = move |at: usize, _| {
            let (raw, all) = (Arc::clone(&raw), Arc::clone(&all));
            async move { assert!(raw.select(&all[at]).await > 0) }
        };
        many(tasks, records, end, work).await
    };
    let load = async |tasks, end| {
        let (store, all) = (Arc::clone(store), Arc::clone(records));
        let work = move |at: usize, _| {
            let (store, all) = (Arc::clone(&store), Arc::clone(&all));
            async move { assert!(store.load(all[at].id).await.unwrap().is_some()) }
        };
        many(tasks, records, end, work).await
    };
    for tasks in [1, 64] {
        let what = format!("load_{tasks}");
        report
            .compare(
                &what,
                async |end| select(tasks, end).await,
                async |end| load(tasks, end).await,
            )
            .await;
    }
    let scope = Scope::Subject {
        app: None,
        subject: subject(usize::MAX),
    };
    store.revoke_all(scope, None, now()).await.unwrap();
    report
        .compare(
            "load_revoked_64",
            async |end| select(64, end).await,
            async |end| load(64, end).await,
        )
        .await;
}

async fn updates(
    report: &mut Report,
    address: std::net::SocketAddr,
    store: &Arc<PostgresStore>,
    records: &Arc<Vec<Record>>,
) {
    let raw = Raw::connect(address, WRITES).await;
    // Each task has 32 sessions, whose versions it knows.
    let few: Arc<Vec<Record>> = Arc::new(records[..records.len().min(2048)].to_vec());
    let versions = |count: usize| -> Arc<Vec<std::sync::atomic::AtomicU64>> {
        Arc::new((0..count).map(|_| 1.into()).collect())
    };
    let (of_raw, of_store) = (versions(few.len()), versions(few.len()));
    let update_raw = async |tasks, end| {
        let (raw, all, versions) = (Arc::clone(&raw), Arc::clone(&few), Arc::clone(&of_raw));
        let work = move |at: usize, count| {
            let (raw, all, versions) = (Arc::clone(&raw), Arc::clone(&all), Arc::clone(&versions));
            async move {
                let version = versions[at].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let bytes = all[at].apply(&change(count)).encode();
                raw.update(&all[at], version.cast_signed(), &bytes).await;
            }
        };
        many(tasks, &few, end, work).await
    };
    let update = async |tasks, end| {
        let (store, all, versions) = (Arc::clone(store), Arc::clone(&few), Arc::clone(&of_store));
        let work = move |at: usize, count| {
            let (store, all, versions) =
                (Arc::clone(&store), Arc::clone(&all), Arc::clone(&versions));
            async move {
                let version = versions[at].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let expect = Expect::Version(version);
                let answer = store.update(all[at].id, expect, change(count), NONE, now());
                assert!(matches!(answer.await.unwrap(), Updated::Done { .. }));
            }
        };
        many(tasks, &few, end, work).await
    };
    for tasks in [1, 64] {
        let what = format!("update_{tasks}");
        report
            .compare(
                &what,
                async |end| update_raw(tasks, end).await,
                async |end| update(tasks, end).await,
            )
            .await;
    }
}

async fn others(report: &mut Report, store: &Arc<PostgresStore>, records: &Arc<Vec<Record>>) {
    let touch = async |end| {
        let (store, all) = (Arc::clone(store), Arc::clone(records));
        let work = move |at: usize, _| {
            let (store, all) = (Arc::clone(&store), Arc::clone(&all));
            async move {
                let later = Activity {
                    last_seen: now(),
                    idle_deadline: now().plus(Duration::from_secs(1800)),
                };
                store.touch(all[at].id, later, now()).await.unwrap();
            }
        };
        many(64, records, end, work).await
    };
    report.rate("store_touch_64", touch).await;
    let epoch = store.epoch().await.unwrap();
    for (key, limit) in [
        ("store_create_64", NONE),
        ("store_login_64", SubjectLimit::default()),
    ] {
        let create = async |end| {
            let store = Arc::clone(store);
            let work = move |at: usize, _| {
                let store = Arc::clone(&store);
                async move {
                    store.create(record(at, epoch), limit, now()).await.unwrap();
                }
            };
            many(64, records, end, work).await
        };
        report.rate(key, create).await;
    }
    let delete = async |end| {
        let (store, all) = (Arc::clone(store), Arc::clone(records));
        let work = move |at: usize, _| {
            let (store, all) = (Arc::clone(&store), Arc::clone(&all));
            async move {
                store.delete(all[at].id).await.unwrap();
            }
        };
        many(64, records, end, work).await
    };
    report.rate("store_delete_64", delete).await;
}
