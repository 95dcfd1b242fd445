//! What can go wrong with a session, as far as callers branch on it.

use cloakroom_core::lifecycle::Ended;
use cloakroom_core::limits::LimitError;
use cloakroom_core::store::{ErrorKind, Refusal, StoreError};

/// A session operation that was not done. Texts are for operators; none carries a token or data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not do its work; nothing is known about the session.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The data would grow beyond the limits; nothing was written.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The session has ended, or never was.
    #[error("the session has ended ({})", .0.as_str())]
    Ended(Ended),
    /// The session may not begin, or may not get this subject.
    #[error("{}", refusal(*.0))]
    Refused(Refusal),
    /// The session is at another version than the caller said.
    #[error("the session is at version {0} now")]
    Moved(u64),
    /// Others changed the session faster than this change could be made.
    #[error("the session changed too often while it was being written")]
    Contended,
    /// A value has no JSON form, or is not what the caller asked for.
    #[error("a session value could not be converted")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Whether trying again later may help: the store is out of reach or full, or others were faster.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Full),
            Self::Contended => true,
            _ => false,
        }
    }
}

fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Revoked => "the subject's sessions were revoked while this one began",
        Refusal::TooManySessions => "the subject has all the sessions he may have",
    }
}
