//! MariaDB: the driver on as many connections as the store has, each with one prepared statement.

use std::sync::Arc;

use cloakroom_core::SessionId;
use cloakroom_stores::sql::mysql::{MysqlStore, Options};
use cloakroom_test_servers::mariadb::{Mariadb, PASSWORD, PASSWORD_IN_URL, USER};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use tokio::sync::Mutex;

use super::measure::{any, compare, fill, load, load_and_update, login, rate, record};

const CONNECTIONS: usize = 8;

/// Connections that tasks take in turns.
struct Driver(Vec<Mutex<Conn>>);

impl Driver {
    async fn connect(server: &Mariadb) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let options = OptsBuilder::default()
                .ip_or_hostname("127.0.0.1")
                .tcp_port(server.addr().port())
                .prefer_socket(false)
                .tcp_nodelay(true)
                .user(Some(USER))
                .pass(Some(PASSWORD))
                .db_name(Some("figures"));
            connections.push(Mutex::new(Conn::new(options).await.unwrap()));
        }
        Self(connections)
    }

    fn conn(&self) -> &Mutex<Conn> {
        &self.0[rand::random_range(0..self.0.len())]
    }

    async fn read(self: Arc<Self>, id: SessionId) {
        let sql = "SELECT record FROM cloakroom_sessions WHERE id = ?";
        let mut conn = self.conn().lock().await;
        let values = (id.as_bytes().to_vec(),);
        let row: Option<Vec<u8>> = conn.exec_first(sql, values).await.unwrap();
        assert!(row.is_some());
    }

    async fn insert(self: Arc<Self>, bytes: bytes::Bytes) {
        let sql = "INSERT INTO bare (id, record) VALUES (?, ?)";
        let id: [u8; 16] = rand::random();
        let mut conn = self.conn().lock().await;
        let values = (id.to_vec(), bytes.to_vec());
        conn.exec_drop(sql, values).await.unwrap();
    }

    async fn update(self: Arc<Self>, id: SessionId) {
        let sql = "UPDATE cloakroom_sessions SET due = due - 1 WHERE id = ?";
        let mut conn = self.conn().lock().await;
        let values = (id.as_bytes().to_vec(),);
        conn.exec_drop(sql, values).await.unwrap();
    }
}

pub(crate) async fn measure() {
    // On the disk, since its syncs are what a write waits for.
    let none = std::iter::empty::<&str>;
    let start = move || Mariadb::at(&std::env::temp_dir(), none());
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    server.sql("CREATE DATABASE figures");
    server.sql(
        "CREATE TABLE figures.bare (id BINARY(16) PRIMARY KEY, record MEDIUMBLOB) ENGINE = InnoDB",
    );
    let port = server.addr().port();
    let url = format!("mysql://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{port}/figures");
    let mut options = Options::from_url(&url).unwrap();
    options.connections = CONNECTIONS;
    let store = Arc::new(MysqlStore::connect(options).await.unwrap());
    let driver = Arc::new(Driver::connect(&server).await);
    let ids = fill(&store).await;
    let bytes = record().encode();
    for tasks in [1, 64] {
        let reads = || {
            let (driver, ids) = (Arc::clone(&driver), Arc::clone(&ids));
            rate(tasks, move || Arc::clone(&driver).read(any(&ids)))
        };
        let loads = || {
            let (store, ids) = (Arc::clone(&store), Arc::clone(&ids));
            rate(tasks, move || load(Arc::clone(&store), any(&ids)))
        };
        compare(&format!("MariaDB, load, {tasks}"), reads, loads).await;
        let inserts = || {
            let (driver, bytes) = (Arc::clone(&driver), bytes.clone());
            rate(tasks, move || Arc::clone(&driver).insert(bytes.clone()))
        };
        let logins = || {
            let store = Arc::clone(&store);
            rate(tasks, move || login(Arc::clone(&store)))
        };
        compare(&format!("MariaDB, create, {tasks}"), inserts, logins).await;
        let updates = || {
            let (driver, ids) = (Arc::clone(&driver), Arc::clone(&ids));
            rate(tasks, move || Arc::clone(&driver).update(any(&ids)))
        };
        let both = || {
            let (store, ids) = (Arc::clone(&store), Arc::clone(&ids));
            rate(tasks, move || {
                load_and_update(Arc::clone(&store), any(&ids))
            })
        };
        let what = format!("MariaDB, load and update, {tasks}");
        compare(&what, updates, both).await;
    }
    let bytes = server.sql(
        "SELECT CONCAT(TABLE_ROWS, ' sessions, about ', (DATA_LENGTH + INDEX_LENGTH) DIV TABLE_ROWS)
         FROM information_schema.tables WHERE table_name = 'cloakroom_sessions'",
    );
    println!("MariaDB: {bytes} bytes of table each");
}
