//! How the database's failures become answers.

use cloakroom_core::store::{ErrorKind, StoreError};
use tokio_postgres::error::SqlState;

/// Why a statement failed, and what that says of its connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// The connection ended while the statement was on its way: a read may be asked again on another.
    pub(super) closed: bool,
    /// The connection leads to a server, or into a session, that is no use to us any more.
    pub(super) misled: bool,
}

impl Failure {
    pub(super) fn new(error: StoreError) -> Self {
        Self {
            error,
            closed: false,
            misled: false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Unavailable, what)
}

/// A failure of a statement, or of coming to a connection.
pub(super) fn of_client(error: tokio_postgres::Error, what: &'static str) -> Failure {
    let code = error.code().cloned();
    let kind = code.as_ref().map_or(ErrorKind::Unavailable, kind_of);
    let read_only = code.as_ref() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION);
    let what = if read_only {
        "the database takes no writes: it is read-only, or a standby"
    } else {
        what
    };
    // What a server says of a failed statement may quote a row: its code and its own words suffice.
    let told = error.as_db_error().map(|told| {
        let code = told.code().code();
        format!("{} (SQLSTATE {code})", told.message())
    });
    let closed = error.is_closed() || code.is_none();
    let error = match told {
        Some(told) => StoreError::new(kind, what).because(told),
        None => StoreError::new(kind, what).because(error),
    };
    Failure {
        error,
        closed,
        misled: read_only
            || code.is_some_and(|code| {
                // The session lost what was prepared in it, or what it was prepared for has changed.
                code == SqlState::INVALID_SQL_STATEMENT_NAME
                    || code == SqlState::FEATURE_NOT_SUPPORTED
            }),
    }
}

fn kind_of(code: &SqlState) -> ErrorKind {
    // A class is the first two characters; the standard and the manual's appendix A list them.
    match (code.code().get(..2).unwrap_or_default(), code) {
        (_, &SqlState::DISK_FULL) => ErrorKind::Full,
        (_, &SqlState::READ_ONLY_SQL_TRANSACTION) => ErrorKind::Unavailable,
        // Who we are, what we may, and which database: all that an operator has to set right.
        ("28" | "3D" | "3F" | "54", _) | (_, &SqlState::INSUFFICIENT_PRIVILEGE) => {
            ErrorKind::Denied
        }
        // Damaged pages, or tables that are not those we made.
        ("42", _) | (_, &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED) => {
            ErrorKind::Corrupt
        }
        _ => ErrorKind::Unavailable,
    }
}
