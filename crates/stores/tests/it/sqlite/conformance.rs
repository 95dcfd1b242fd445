//! The suite that every store passes, on files in a temporary folder, with a second handle.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::{Fixture, ManualClock, Offered};
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::sql::sqlite::{Options, SqliteStore};
use cloakroom_test_servers::quick_place;
use rusqlite::Connection;
use tempfile::TempDir;

pub(super) struct OnFile {
    folder: TempDir,
    crashes: u32,
    store: Option<Arc<SqliteStore>>,
    second: Option<Arc<SqliteStore>>,
    clock: ManualClock,
}

pub(super) async fn connect(file: impl Into<PathBuf>) -> SqliteStore {
    // Many tests share one slow disk; no case judges how long an operation takes.
    let mut options = Options::at(file);
    options.deadline = Duration::from_secs(20);
    SqliteStore::connect(options).await.unwrap()
}

impl OnFile {
    fn file(&self) -> PathBuf {
        self.folder
            .path()
            .join(format!("{}/sessions.db", self.crashes))
    }

    async fn start(&mut self) {
        self.store = Some(Arc::new(connect(self.file()).await));
        self.second = Some(Arc::new(connect(self.file()).await));
    }
}

/// What a kill would leave now: the file and its log as they are, while nobody can write.
fn copy_as_killed(from: &Path, to: &Path) {
    let lock = Connection::open(from).unwrap();
    lock.busy_timeout(Duration::from_secs(20)).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
    let log = |file: &Path| file.with_extension("db-wal");
    std::fs::copy(log(from), log(to)).unwrap();
}

impl Fixture for OnFile {
    type Store = SqliteStore;
    type Registry = SqliteStore;

    async fn open() -> Self {
        let mut fixture = Self {
            folder: TempDir::new_in(quick_place()).unwrap(),
            crashes: 0,
            store: None,
            second: None,
            clock: ManualClock::default(),
        };
        fixture.start().await;
        fixture
    }

    fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn registry(&self) -> Option<Arc<SqliteStore>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        let from = self.file();
        self.crashes += 1;
        copy_as_killed(&from, &self.file());
        self.start().await;
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        let connection = Connection::open(self.file()).unwrap();
        let (rowid, mut record): (i64, Vec<u8>) = connection
            .query_row(
                "SELECT rowid, record FROM sessions WHERE id = ?1",
                [id.as_bytes()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let middle = record.len() / 2;
        record[middle] ^= 1;
        let changed = connection
            .execute(
                "UPDATE sessions SET record = ?2 WHERE rowid = ?1",
                rusqlite::params![rowid, record],
            )
            .unwrap();
        assert_eq!(changed, 1);
        Offered::Done
    }

    /// The folder goes, as when a mount is lost, and comes back.
    async fn cut_off(&mut self, off: bool) -> Offered {
        let here = self.folder.path().join(self.crashes.to_string());
        let away = self.folder.path().join("away");
        if off {
            std::fs::rename(here, away).unwrap();
        } else {
            std::fs::rename(away, here).unwrap();
        }
        Offered::Done
    }

    fn second_store(&self) -> Option<Arc<SqliteStore>> {
        self.second.clone()
    }

    fn second_registry(&self) -> Option<Arc<SqliteStore>> {
        self.second.clone()
    }
}

cloakroom_conformance::suite!(OnFile);
