//! How the engine's failures become answers.

use std::io;

use cloakroom_core::record::DecodeError;
use cloakroom_core::store::{ErrorKind, StoreError};
use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

/// Why a piece of work did not succeed, and how far the damage reaches.
#[derive(Debug)]
pub(super) enum Fault {
    /// This piece of work alone; it has written nothing.
    Own(StoreError),
    /// The transaction cannot go on; nothing in it happens.
    Whole(StoreError),
}

impl Fault {
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Own(error) | Self::Whole(error) => error,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Own(error)
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Own(error.into())
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Whole(of_storage(error, "using the database file"))
    }
}

impl From<TableError> for Fault {
    fn from(error: TableError) -> Self {
        Self::Whole(of_table(error))
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Self {
        Self::Whole(match error {
            TransactionError::Storage(error) => of_storage(error, "beginning a transaction"),
            other => unavailable("beginning a transaction").because(other),
        })
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        Self::Whole(match error {
            CommitError::Storage(error) => of_storage(error, "committing"),
            other => unavailable("committing").because(other),
        })
    }
}

/// A file that cannot be opened, in words for its operator.
pub(super) fn of_open(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::new(
            ErrorKind::Denied,
            "another process has this store open; one process at a time can use it",
        )
        .because(DatabaseError::DatabaseAlreadyOpen),
        DatabaseError::Storage(error) => of_storage(error, "opening the database file"),
        other => StoreError::new(ErrorKind::Denied, "opening the database file").because(other),
    }
}

/// A failure of the file itself.
pub(super) fn of_storage(error: StorageError, what: &'static str) -> StoreError {
    let kind = match &error {
        StorageError::Corrupted(_) => ErrorKind::Corrupt,
        StorageError::Io(error) => kind_of_io(error),
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, what).because(error)
}

fn of_table(error: TableError) -> StoreError {
    match error {
        TableError::Storage(error) => of_storage(error, "opening a table"),
        // A table that is missing or of another type was not written by this release.
        other => StoreError::new(ErrorKind::Corrupt, "opening a table").because(other),
    }
}

/// A failure of the file system.
pub(super) fn of_io(error: io::Error, what: &'static str) -> StoreError {
    StoreError::new(kind_of_io(&error), what).because(error)
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Unavailable, what)
}

/// Runs `work`; a panic of the engine over a damaged file becomes an error (S-16).
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // What the closures touch besides the engine is left whole by every early return, and a panic is one more.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Fault::Whole(StoreError::new(
            ErrorKind::Corrupt,
            "the database engine gave up on what it found in the file",
        )))
    })
}
