//! What went wrong in the engine or the store, in the words of the API.

use crate::http::{Problem, problems, soon};
use cloakroom::service::Error;
use cloakroom_core::{
    LimitError, StoreError,
    store::{ErrorKind, Refusal},
};
use http::{HeaderValue, header};
use std::error::Error as _;

/// After how many seconds it is worth asking a full store again: places come free one by one, as people log out.
pub const FULL_RETRY_AFTER: HeaderValue = HeaderValue::from_static("60");

/// The answer to a failed session operation.
pub fn session_problem(error: &Error) -> Problem {
    match error {
        Error::Store(error) => store_problem(error),
        Error::Limit(LimitError::DataTooLarge { limit, .. }) => Problem::new(&problems::TOO_LARGE)
            .detail("the session's data would be over the limit")
            .with("limit", *limit),
        Error::Limit(error) => Problem::new(&problems::INVALID_FIELD)
            .detail(error.to_string())
            .with("field", "data"),
        Error::Ended(_) => Problem::new(&problems::SESSION_NOT_FOUND),
        Error::Refused(Refusal::TooManySessions) => Problem::new(&problems::TOO_MANY_SESSIONS),
        Error::Refused(Refusal::Revoked) => Problem::new(&problems::CONFLICT)
            .detail("the subject's sessions were revoked while this one began"),
        Error::Moved(version) => {
            Problem::new(&problems::VERSION_MISMATCH).with("version", *version)
        }
        Error::Contended => later(
            Problem::new(&problems::UNAVAILABLE)
                .detail("the session changed too often while it was being written"),
        ),
        _ => {
            tracing::error!(%error, "a session operation failed");
            Problem::new(&problems::INTERNAL)
        }
    }
}

/// The answer to a failed store operation: never one that looks like the end of a session.
pub fn store_problem(error: &StoreError) -> Problem {
    let cause = error.source().map(ToString::to_string);
    note_store_error(error);
    match error.kind() {
        ErrorKind::Unavailable => {
            tracing::error!(%error, cause, "the store is out of reach");
            later(Problem::new(&problems::UNAVAILABLE))
        }
        ErrorKind::Full => {
            tracing::warn!(%error, cause, "the store is full");
            Problem::new(&problems::FULL).header(header::RETRY_AFTER, FULL_RETRY_AFTER)
        }
        // One that takes no writes for a while, as the replica of a database does.
        ErrorKind::Denied => {
            tracing::error!(%error, cause, "the store refuses");
            later(Problem::new(&problems::UNAVAILABLE).detail("the store refuses this operation"))
        }
        ErrorKind::Corrupt => {
            tracing::error!(%error, cause, "the store failed");
            Problem::new(&problems::INTERNAL)
        }
    }
}

/// Counts a failed store operation.
pub fn note_store_error(error: &StoreError) {
    let kind = match error.kind() {
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Full => "full",
        ErrorKind::Denied => "denied",
    };
    metrics::counter!("cloakroom_store_errors_total", "kind" => kind).increment(1);
}

fn later(problem: Problem) -> Problem {
    problem.header(header::RETRY_AFTER, soon())
}
