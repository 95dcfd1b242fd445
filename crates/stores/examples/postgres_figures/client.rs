//! The client library alone, used as well as it can be: prepared statements, pipelined over a few connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom_core::Record;
use tokio_postgres::{Client, NoTls, Statement};

/// A connection with its statements.
struct Link {
    client: Client,
    select: Statement,
    update: Statement,
}

/// Some connections to one table of its own, `raw`, which holds ids, versions and records.
pub(crate) struct Raw {
    links: Vec<Link>,
    next: AtomicUsize,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr, connections: usize) -> Arc<Self> {
        let mut links = Vec::new();
        for _ in 0..connections {
            let client = client(address).await;
            client
                .batch_execute(
                    "CREATE TABLE IF NOT EXISTS raw (id bytea PRIMARY KEY, version bigint NOT NULL, \
                     record bytea NOT NULL) WITH (fillfactor = 75)",
                )
                .await
                .unwrap();
            let select = client.prepare("SELECT record FROM raw WHERE id = $1").await;
            let update = client
                .prepare("UPDATE raw SET version = version + 1, record = $2 WHERE id = $1 AND version = $3")
                .await;
            links.push(Link {
                select: select.unwrap(),
                update: update.unwrap(),
                client,
            });
        }
        Arc::new(Self {
            links,
            next: AtomicUsize::new(0),
        })
    }

    fn link(&self) -> &Link {
        &self.links[self.next.fetch_add(1, Ordering::Relaxed) % self.links.len()]
    }

    pub(crate) async fn insert(&self, record: &Record) {
        let insert = "INSERT INTO raw VALUES ($1, 1, $2)";
        let (id, bytes) = (record.id.as_bytes().as_slice(), record.encode());
        let client = &self.link().client;
        client.execute(insert, &[&id, &&bytes[..]]).await.unwrap();
    }

    /// Reads a record's bytes; answers how many they are, so that they are looked at.
    pub(crate) async fn select(&self, record: &Record) -> usize {
        let link = self.link();
        let id = record.id.as_bytes().as_slice();
        let row = link.client.query_opt(&link.select, &[&id]).await.unwrap();
        row.map_or(0, |row| row.get::<_, &[u8]>(0).len())
    }

    pub(crate) async fn update(&self, record: &Record, version: i64, bytes: &[u8]) {
        let link = self.link();
        let id = record.id.as_bytes().as_slice();
        let changed = link
            .client
            .execute(&link.update, &[&id, &bytes, &version])
            .await;
        assert_eq!(changed.unwrap(), 1);
    }
}

/// The answer to a question of one row with one number.
pub(crate) async fn number(address: SocketAddr, sql: &str) -> i64 {
    client(address)
        .await
        .query_one(sql, &[])
        .await
        .unwrap()
        .get(0)
}

pub(crate) async fn run(address: SocketAddr, sql: &str) {
    client(address).await.batch_execute(sql).await.unwrap();
}

async fn client(address: SocketAddr) -> Client {
    let url = format!("postgres://postgres@{address}/postgres");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
