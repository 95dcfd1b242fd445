//! How failures of the file system become answers.

use std::io;

use cloakroom_core::store::{ErrorKind, StoreError};

/// Names the operation in which a step failed.
pub(super) trait During<T> {
    fn during(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::new(kind(&error), what).because(error))
    }
}

fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::TooManyLinks => {
            ErrorKind::Full
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    }
}

pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Unavailable, what)
}

pub(super) fn corrupt(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, what)
}

pub(super) fn denied(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Denied, what)
}
