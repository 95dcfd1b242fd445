//! Steps that the tests of this store take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use cloakroom_conformance::samples;
use cloakroom_core::lifecycle::{Proof, authenticate};
use cloakroom_core::store::{Created, ErrorKind, Scope, Store as _, StoreError, SubjectIndex as _};
use cloakroom_core::{Change, Policy, Record, SubjectLimit, Timestamp};
use cloakroom_stores::sql::postgres::{Options, PostgresStore};
use cloakroom_test_servers::postgres::Postgres;
use tokio_postgres::NoTls;

use super::conformance::IN_USE;

pub(super) const NONE: SubjectLimit = SubjectLimit::NONE;

/// A name that no other test of this process has.
pub(super) fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The URL of `schema` on a server, or on what stands before it.
pub(super) fn url(address: SocketAddr, schema: &str) -> String {
    format!(
        "postgres://postgres@{address}/postgres?schema={schema}&read_connections=2&write_connections=3"
    )
}

pub(super) async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::connect(Options::from_url(url).unwrap()).await
}

/// A store on a schema of its own, patient because other tests load this machine as well.
pub(super) async fn patient(address: SocketAddr, schema: &str) -> PostgresStore {
    open(&format!("{}&deadline=20s", url(address, schema)))
        .await
        .unwrap()
}

/// Runs statements as the server's superuser.
pub(super) async fn administer(server: &Postgres, sql: &str) {
    with_client(server, async |client| {
        client.batch_execute(sql).await.unwrap()
    })
    .await;
}

/// The answer to a question of one row with one number.
pub(super) async fn number(server: &Postgres, sql: &str) -> i64 {
    with_client(server, async |client| {
        client.query_one(sql, &[]).await.unwrap().get(0)
    })
    .await
}

async fn with_client<T>(
    server: &Postgres,
    work: impl AsyncFnOnce(&tokio_postgres::Client) -> T,
) -> T {
    let config = format!("postgres://postgres@{}/postgres", server.address());
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    let carried = tokio::spawn(connection);
    let done = work(&client).await;
    drop(client);
    carried.await.unwrap().unwrap();
    done
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_millis(i64::try_from(since.unwrap().as_millis()).unwrap())
}

pub(super) async fn create(store: &PostgresStore, record: &Record) {
    let created = store.create(record.clone(), NONE, now()).await.unwrap();
    assert!(matches!(created, Created::Done(_)), "{created:?}");
}

/// Looks again and again until it is so.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The kind of an error that must be one; its whole text, sources included, must not tell `secret`.
pub(super) fn refused<T: std::fmt::Debug>(
    answer: Result<T, StoreError>,
    secret: &str,
) -> ErrorKind {
    let error = answer.unwrap_err();
    let mut text = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(" {error}");
        cause = error.source();
    }
    assert!(!text.contains(secret), "{text}");
    error.kind()
}

/// Two nodes on a schema of their own.
pub(super) async fn two() -> (PostgresStore, PostgresStore, String, impl Drop) {
    let using = Arc::clone(&IN_USE).read_owned().await;
    let server = tokio::task::block_in_place(Postgres::shared);
    let schema = new_schema();
    let first = patient(server.address(), &schema).await;
    let second = patient(server.address(), &schema).await;
    (first, second, schema, using)
}

pub(super) fn ann() -> Scope {
    Scope::Subject {
        app: None,
        subject: samples::subject("ann"),
    }
}

/// What logs `record` in.
pub(super) async fn login(store: &PostgresStore, record: &Record, subject: &str) -> Change {
    let epoch = store.epoch().await.unwrap();
    let proof = Proof::of(samples::subject(subject));
    let policy = Policy::default();
    authenticate(record, &proof, epoch, &policy, now(), &rand::random()).change
}
