//! Coming to the database: its schema, who may use it, and what it refuses.

use std::sync::Arc;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{ErrorKind, Expect, Kind, Registry as _, Store as _};
use cloakroom_stores::sql::postgres::PostgresStore;
use cloakroom_test_servers::postgres::Postgres;
use tokio::task::JoinSet;

use super::conformance::IN_USE;
use super::kit::{NONE, administer, create, new_schema, now, number, open, patient, refused, url};

/// The shared server, which nobody restarts as long as the guard is held.
async fn server() -> (&'static Postgres, impl Drop) {
    let using = Arc::clone(&IN_USE).read_owned().await;
    (tokio::task::block_in_place(Postgres::shared), using)
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_nodes_that_start_together_make_one_schema() {
    let (server, _using) = server().await;
    let schema = new_schema();
    let mut nodes = JoinSet::new();
    for _ in 0..8 {
        let schema = schema.clone();
        nodes.spawn(async move { patient(server.address(), &schema).await });
    }
    let stores: Vec<PostgresStore> = nodes.join_all().await;
    let record = Sample::new(now()).record();
    create(&stores[0], &record).await;
    for store in &stores {
        let loaded = store.load(record.id).await.unwrap().unwrap();
        assert_eq!(*loaded.record, record);
    }
    let steps = format!("SELECT count(*) FROM {schema}.schema_version");
    assert_eq!(number(server, &steps).await, 1, "each step is taken once");
    // And beside nodes that serve, once more.
    let again = patient(server.address(), &schema).await;
    assert!(again.load(record.id).await.unwrap().is_some());
    assert_eq!(number(server, &steps).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_schema_is_used_if_it_only_added() {
    let (server, _using) = server().await;
    let schema = new_schema();
    let old = patient(server.address(), &schema).await;
    let later = |version, needs| {
        format!(
            "ALTER TABLE {schema}.sessions ADD COLUMN later_{version} bigint NOT NULL DEFAULT 0;
             INSERT INTO {schema}.schema_version (version, needs) VALUES ({version}, {needs})"
        )
    };
    administer(server, &later(2, 1)).await;
    let record = Sample::new(now()).record();
    // The one that was serving, whose statements were prepared before, and a new one.
    create(&old, &record).await;
    let new = patient(server.address(), &schema).await;
    let change = samples::set("a", 1);
    let updated = new
        .update(record.id, Expect::Version(1), change, NONE, now())
        .await;
    assert_eq!(updated.unwrap().version(), Some(2));
    administer(server, &later(3, 3)).await;
    let refused_kind = refused(open(&url(server.address(), &schema)).await, "postgres://");
    assert_eq!(refused_kind, ErrorKind::Denied);
}

/// What an `update` wrote.
trait Version {
    fn version(&self) -> Option<u64>;
}

impl Version for cloakroom_core::store::Updated {
    fn version(&self) -> Option<u64> {
        match self {
            Self::Done { record, .. } => Some(record.version),
            _ => None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_denied_and_no_password_is_told() {
    let (server, _using) = server().await;
    administer(
        server,
        "CREATE ROLE guarded LOGIN PASSWORD 'right-secret'; CREATE SCHEMA made_for_it AUTHORIZATION guarded;",
    )
    .await;
    let address = server.address();
    let url = |password: &str, schema: &str| {
        format!("postgres://guarded:{password}@{address}/postgres?schema={schema}")
    };
    let wrong = open(&url("wrong-secret", "made_for_it")).await;
    assert_eq!(refused(wrong, "secret"), ErrorKind::Denied);
    // It may not make a schema, but may use one that was made for it.
    let other = open(&url("right-secret", "not_made")).await;
    assert_eq!(refused(other, "right-secret"), ErrorKind::Denied);
    let own = open(&url("right-secret", "made_for_it")).await.unwrap();
    create(&own, &Sample::new(now()).record()).await;
    let nowhere = format!("postgres://postgres:secret@{address}/nowhere");
    assert_eq!(refused(open(&nowhere).await, "secret"), ErrorKind::Denied);
    let nobody = "postgres://postgres:secret@127.0.0.1:9/postgres";
    assert_eq!(
        refused(open(nobody).await, "secret"),
        ErrorKind::Unavailable
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_verifies_and_takes_no_writes() {
    let (server, _using) = server().await;
    let schema = new_schema();
    let writer = patient(server.address(), &schema).await;
    let record = Sample::new(now()).record();
    create(&writer, &record).await;
    let role = format!("reader_{schema}");
    administer(
        server,
        &format!(
            "CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET default_transaction_read_only = on"
        ),
    )
    .await;
    let url = url(server.address(), &schema).replace("postgres@", &format!("{role}@"));
    let reader = open(&format!("{url}&deadline=20s")).await.unwrap();
    assert_eq!(
        *reader.load(record.id).await.unwrap().unwrap().record,
        record
    );
    let change = samples::set("a", 1);
    let answer = reader
        .update(record.id, Expect::Version(1), change, NONE, now())
        .await;
    assert_eq!(refused(answer, "secret"), ErrorKind::Unavailable);
    assert!(reader.load(record.id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_and_a_pooler_will_do() {
    let (server, _using) = server().await;
    let schema = new_schema();
    let folder = form_urlencoded(server);
    let port = server.address().port();
    let url = format!(
        "postgresql://postgres@/postgres?host={folder}&port={port}&schema={schema}\
         &deadline=20s&transaction_pooler=yes"
    );
    let store = open(&url).await.unwrap();
    create(&store, &Sample::new(now()).record()).await;
    // Nothing is told behind a pooler, so a watcher asks.
    let other = patient(server.address(), &schema).await;
    let put = async |name| {
        let value = Some("1".into());
        let any = cloakroom_core::store::Expected::Anything;
        other
            .put(Kind::User, name, any, value, None, now())
            .await
            .unwrap();
    };
    put("ann").await;
    let first = store.changed(Kind::User, 0).await.unwrap();
    let (second, ()) = tokio::join!(store.changed(Kind::User, first), put("ben"));
    assert!(second.unwrap() > first);
}

fn form_urlencoded(server: &Postgres) -> String {
    server.folder().to_str().unwrap().replace('/', "%2F")
}

/// The statement that docs/stores/postgres.md gives.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_revokes_everything_after_a_restore() {
    const DOCS: &str = include_str!("../../../../../docs/stores/postgres.md");
    let (server, _using) = server().await;
    let schema = new_schema();
    let store = patient(server.address(), &schema).await;
    let record = Sample::new(now()).record();
    create(&store, &record).await;
    let statement = DOCS
        .lines()
        .find(|line| line.contains("SELECT raised FROM"));
    administer(
        server,
        &statement
            .unwrap()
            .replace("cloakroom.", &format!("{schema}.")),
    )
    .await;
    let loaded = store.load(record.id).await.unwrap().unwrap();
    assert!(loaded.record.security.admitted < loaded.not_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_contradict_the_record_and_damaged_entries_are_corrupt() {
    let (server, _using) = server().await;
    let schema = new_schema();
    let store = patient(server.address(), &schema).await;
    let record = Sample::new(now()).record();
    create(&store, &record).await;
    let any = cloakroom_core::store::Expected::Anything;
    let put = store.put(Kind::User, "ann", any, Some("value".into()), None, now());
    put.await.unwrap();
    administer(
        server,
        &format!(
            "UPDATE {schema}.sessions SET version = 7; UPDATE {schema}.registry SET value = 'valuf'"
        ),
    )
    .await;
    let change = samples::set("a", 1);
    let answer = store
        .update(record.id, Expect::Security(1), change, NONE, now())
        .await;
    assert_eq!(refused(answer, "secret"), ErrorKind::Corrupt);
    let entry = store.get(Kind::User, "ann", now()).await;
    assert_eq!(refused(entry, "secret"), ErrorKind::Corrupt);
}
