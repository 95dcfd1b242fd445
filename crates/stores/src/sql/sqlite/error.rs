//! How SQLite's failures become answers.

use std::io;

use cloakroom_core::store::{ErrorKind, StoreError};
use rusqlite::ErrorCode;

/// A failure of SQLite while doing `what`.
pub(super) fn of_sqlite(error: rusqlite::Error, what: &'static str) -> StoreError {
    StoreError::new(kind(&error), what).because(error)
}

fn kind(error: &rusqlite::Error) -> ErrorKind {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull | ErrorCode::TooBig => ErrorKind::Full,
            // The file was moved away or replaced; it may come back.
            ErrorCode::ReadOnly
                if failure.extended_code == rusqlite::ffi::SQLITE_READONLY_DBMOVED =>
            {
                ErrorKind::Unavailable
            }
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => ErrorKind::Denied,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        },
        // A column of another type than was written.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

/// A failure of the file system while doing `what`.
pub(super) fn of_io(error: io::Error, what: &'static str) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::IsADirectory => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, what).because(error)
}

pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Unavailable, what)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn each_failure_has_its_kind() {
        let kinds = [
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_READONLY, ErrorKind::Denied),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::Denied),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::Unavailable),
            (ffi::SQLITE_PERM, ErrorKind::Denied),
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, ErrorKind::Corrupt),
            (ffi::SQLITE_BUSY, ErrorKind::Unavailable),
            (ffi::SQLITE_LOCKED, ErrorKind::Unavailable),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Unavailable),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Unavailable),
        ];
        for (code, wanted) in kinds {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(of_sqlite(error, "a test").kind(), wanted, "code {code}");
        }
    }
}
