//! SQLite: the driver on one connection in a thread of its own, as the library is meant to be used.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_core::SessionId;
use cloakroom_stores::sql::sqlite::{Options, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use super::measure::{any, compare, fill, load, load_and_update, login, rate, record};

fn driver(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    let pragmas = "PRAGMA journal_mode = wal; PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS bare (id BLOB NOT NULL PRIMARY KEY, record BLOB NOT NULL)";
    connection.execute_batch(pragmas).unwrap();
    connection
}

fn a_second(mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < Duration::from_secs(1) {
        work();
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

async fn driver_reads(file: &Path, ids: &Arc<Vec<SessionId>>) -> f64 {
    let (connection, ids) = (driver(file), Arc::clone(ids));
    let reads = move || {
        a_second(|| {
            let sql = "SELECT record FROM sessions WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql).unwrap();
            let id = any(&ids);
            let row: Vec<u8> = statement
                .query_row([id.as_bytes()], |row| row.get(0))
                .unwrap();
            assert!(!row.is_empty());
        })
    };
    tokio::task::spawn_blocking(reads).await.unwrap()
}

/// Rows a second, so many in a commit.
async fn driver_writes(file: &Path, rows: u32) -> f64 {
    let connection = driver(file);
    let bytes = record().encode();
    let writes = move || {
        let commits = a_second(|| {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for _ in 0..rows {
                let id: [u8; 16] = rand::random();
                let sql = "INSERT INTO bare (id, record) VALUES (?1, ?2)";
                let mut statement = connection.prepare_cached(sql).unwrap();
                statement.execute((&id[..], &bytes[..])).unwrap();
            }
            connection.execute_batch("COMMIT").unwrap();
        });
        commits * f64::from(rows)
    };
    tokio::task::spawn_blocking(writes).await.unwrap()
}

pub(crate) async fn measure() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sessions.db");
    let bare = folder.path().join("bare.db");
    let store = SqliteStore::connect(Options::at(&file)).await.unwrap();
    let store = Arc::new(store);
    let ids = fill(&store).await;
    for tasks in [1, 64] {
        let what = format!("SQLite, load, {tasks}");
        let read = || {
            let (store, ids) = (Arc::clone(&store), Arc::clone(&ids));
            rate(tasks, move || load(Arc::clone(&store), any(&ids)))
        };
        compare(&what, || driver_reads(&file, &ids), read).await;
    }
    for (tasks, rows) in [(1, 1), (64, 64), (512, 512)] {
        let what = format!("SQLite, create, {tasks}");
        let write = || {
            let store = Arc::clone(&store);
            rate(tasks, move || login(Arc::clone(&store)))
        };
        compare(&what, || driver_writes(&bare, rows), write).await;
    }
    for (tasks, rows) in [(1, 1), (64, 64)] {
        let what = format!("SQLite, load and update, {tasks}");
        let write = || {
            let (store, ids) = (Arc::clone(&store), Arc::clone(&ids));
            rate(tasks, move || {
                load_and_update(Arc::clone(&store), any(&ids))
            })
        };
        compare(&what, || driver_writes(&bare, rows), write).await;
    }
    drop(store);
    let bytes = std::fs::metadata(&file).unwrap().len();
    let connection = Connection::open(&file).unwrap();
    let count: i64 = connection
        .query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))
        .unwrap();
    let each = bytes / u64::try_from(count).unwrap();
    println!("SQLite: {count} sessions, {each} bytes of file each");
}
