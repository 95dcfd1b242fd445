//! Where the database file is, and whether it is still the one that was opened.
//!
//! SQLite goes on with the file it has open, wherever that went. A session written to a file that was moved away or
//! deleted would be acknowledged and lost, so every operation looks whether the path still leads to it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cloakroom_core::store::{ErrorKind, StoreError};
use rusqlite::{Connection, OpenFlags};

use super::error::{of_io, of_sqlite, unavailable};
use super::schema;

/// Which file it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    patience: Duration,
}

impl Place {
    /// `path` is taken literally: no name of it means memory, and none is a URI.
    pub(super) fn at(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|error| of_io(error, "finding the path"))?;
        Ok(Self { path, patience })
    }

    /// Makes the file if it is missing, and brings its schema up to date.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| of_io(error, "making the folder of the database file"))?;
        }
        // SQLite's own files get the mode of this one.
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)
            .map_err(|error| of_io(error, "opening the database file"))?;
        let (connection, _) = self.open(Access::Writer)?;
        let mode = self.patiently(|| write_ahead(&connection));
        let mode = mode.map_err(|error| of_sqlite(error, "preparing the database file"))?;
        if mode != "wal" {
            return Err(StoreError::new(
                ErrorKind::Denied,
                "the database file cannot have a write-ahead log there",
            ));
        }
        schema::migrate(&connection)
    }

    /// Again and again while another process is at it: for a change of the log SQLite does not wait by itself.
    fn patiently<T>(&self, mut work: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let begun = Instant::now();
        loop {
            match work() {
                Err(rusqlite::Error::SqliteFailure(failure, _))
                    if failure.code == rusqlite::ErrorCode::DatabaseBusy
                        && begun.elapsed() < self.patience =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                done => return done,
            }
        }
    }

    /// Which file is there now.
    pub(super) fn identity(&self) -> Result<Identity, StoreError> {
        match fs::metadata(&self.path) {
            Ok(file) => Ok(Identity {
                device: file.dev(),
                inode: file.ino(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(unavailable("the database file is gone").because(error))
            }
            Err(error) => Err(of_io(error, "looking at the database file")),
        }
    }

    /// A connection to the file that is there, which must be.
    pub(super) fn open(&self, access: Access) -> Result<(Connection, Identity), StoreError> {
        let failed = |error| of_sqlite(error, "opening the database file");
        let identity = self.identity()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        connection.busy_timeout(self.patience).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(access.pragmas()).map_err(failed)?;
        if self.identity()? != identity {
            return Err(unavailable("the database file was replaced just now"));
        }
        Ok((connection, identity))
    }
}

/// Kept in the file. Readers then never wait for the writer, nor he for them.
fn write_ahead(connection: &Connection) -> rusqlite::Result<String> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(mode);
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Writer,
    Reader,
}

impl Access {
    fn pragmas(self) -> &'static str {
        match self {
            // FULL: the log is synced before a commit is answered, and before readers see it.
            Self::Writer => {
                "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
                 PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768"
            }
            Self::Reader => {
                "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
                 PRAGMA cache_size = -16384; PRAGMA mmap_size = 0"
            }
        }
    }
}
