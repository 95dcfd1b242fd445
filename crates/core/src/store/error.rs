//! When a store could not do its work.

use std::error::Error;
use std::fmt;

/// What went wrong, as far as a caller branches on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Out of reach or too slow; trying again may help.
    Unavailable,
    /// What it keeps is damaged.
    Corrupt,
    /// No room.
    Full,
    /// It refuses us.
    Denied,
}

/// A failed store operation: opaque, with a [`kind`](StoreError::kind) and a source.
///
/// Its text is for operators and never carries session data or secrets.
#[derive(Debug)]
pub struct StoreError {
    kind: ErrorKind,
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// A failure of `kind`; `what` names the operation in lower case.
    pub const fn new(kind: ErrorKind, what: &'static str) -> Self {
        Self {
            kind,
            what,
            source: None,
        }
    }

    /// With the error that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller may branch on.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Full => "full",
            ErrorKind::Denied => "denied",
        };
        write!(f, "store {word}: {}", self.what)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<crate::record::DecodeError> for StoreError {
    fn from(error: crate::record::DecodeError) -> Self {
        Self::new(ErrorKind::Corrupt, "reading a session record").because(error)
    }
}
