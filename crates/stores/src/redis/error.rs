//! How the server's refusals become answers.

use ::redis::{ErrorKind as Cause, RedisError, ServerErrorKind};
use cloakroom_core::store::{ErrorKind, StoreError};

pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Unavailable, what)
}

pub(super) fn damaged(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, what)
}

pub(super) fn denied(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Denied, what)
}

/// What a refused command means to the caller.
pub(super) fn of(error: RedisError) -> StoreError {
    let (kind, what) = meaning(&error);
    StoreError::new(kind, what).because(error)
}

fn meaning(error: &RedisError) -> (ErrorKind, &'static str) {
    match error.kind() {
        Cause::AuthenticationFailed => return (ErrorKind::Denied, "Redis refuses the login"),
        Cause::InvalidClientConfig => return (ErrorKind::Denied, "connecting to Redis"),
        Cause::Server(ServerErrorKind::NoPerm) => {
            return (ErrorKind::Denied, "Redis denies a command or a key");
        }
        Cause::UnexpectedReturnType => return (ErrorKind::Corrupt, "reading from Redis"),
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    // Before Redis 7 a script's failure stands in the text alone.
    let has = |word: &str| code == word || error.detail().is_some_and(|text| text.contains(word));
    if has("OOM") {
        (ErrorKind::Full, "Redis is out of memory")
    } else if has("WRONGPASS") || has("NOAUTH") {
        (ErrorKind::Denied, "Redis refuses the login")
    } else if has("WRONGTYPE") || code == "DAMAGED" {
        (ErrorKind::Corrupt, "reading from Redis")
    } else if has("MISCONF") {
        (ErrorKind::Unavailable, "Redis cannot write to its disk")
    } else if has("READONLY") || has("NOREPLICAS") {
        (ErrorKind::Unavailable, "Redis takes no writes")
    } else {
        (ErrorKind::Unavailable, "asking Redis")
    }
}

/// Whether the server said that it did nothing, and may do it later or elsewhere.
pub(super) fn not_done(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        Cause::Server(
            ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
        )
    )
}

/// Whether the answer is from the server, so that the connection is good.
pub(super) fn from_server(error: &RedisError) -> bool {
    matches!(error.kind(), Cause::Server(_) | Cause::Extension)
}
