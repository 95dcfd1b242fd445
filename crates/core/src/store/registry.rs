//! The registry: small named objects that outlive sessions, changed by compare-and-set.

use std::future::Future;

use bytes::Bytes;

use super::StoreError;
use crate::time::Timestamp;

/// Bytes that one value may have at most.
pub const VALUE_MAX: usize = 256 * 1024;

/// What sort of object an entry is; sorts are apart, so a user and a key may share a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// People of the built-in directory.
    User,
    /// Service credentials.
    ApiKey,
    /// OAuth clients.
    Client,
    /// The key ring, wrapped by a key that is never in the store.
    Ring,
    /// Single-use codes.
    Code,
    /// Answers kept for `Idempotency-Key`.
    Idempotency,
    /// The persisted clock.
    Clock,
    /// Other settings that nodes share.
    Setting,
}

impl Kind {
    /// Its stored name; never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api-key",
            Self::Client => "client",
            Self::Ring => "ring",
            Self::Code => "code",
            Self::Idempotency => "idempotency",
            Self::Clock => "clock",
            Self::Setting => "setting",
        }
    }
}

/// An object as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name within its kind: 1 to 255 bytes.
    pub name: Box<str>,
    /// Its value, as its owner encoded it.
    pub value: Bytes,
    /// Rises with every write of this object, also when it was removed in between.
    pub version: u64,
    /// It is gone from then on.
    pub expires: Option<Timestamp>,
}

/// What a `put` expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing under this name, or something expired.
    Absent,
    /// Exactly this version.
    Version(u64),
    /// Whatever there is.
    Anything,
}

/// The answer to `put`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Written, under this version.
    Done(u64),
    /// The expectation does not hold; what there is instead.
    Conflict(Option<Entry>),
}

/// Keeps small named objects.
///
/// - R-01 `put` with [`Expected::Absent`] succeeds for exactly one of parallel callers; the others get what he wrote, so
///   nodes that start together agree.
/// - R-02 `put` with [`Expected::Version`] succeeds only for the version last written; versions of a name never repeat,
///   also not after removal.
/// - R-03 `put` of `None` removes; `get` then answers `None`.
/// - R-04 an entry past its `expires` is absent for every operation, also before it is cleared.
/// - R-05 `list` gives the entries of one kind, ascending by name, after a given name, at most `limit`.
/// - R-06 kinds are apart.
/// - R-07 `changed` resolves once anything of its kind was written after the revision it was given.
/// - R-08 on a durable registry what was acknowledged survives a crash.
/// - R-09 a name that is empty or over 255 bytes, or a value over [`VALUE_MAX`], is an error of kind `denied`.
pub trait Registry: Send + Sync + 'static {
    /// The object called `name`.
    fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Writes (`Some`) or removes (`None`) the object called `name` if `expected` holds.
    fn put(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;

    /// Objects of `kind` with names after `after`.
    fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// Waits until something of `kind` was written after revision `seen`; answers the revision now. Start with 0, which
    /// answers at once where anything was ever written.
    fn changed(
        &self,
        kind: Kind,
        seen: u64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
