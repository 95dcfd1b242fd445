//! The store contract: where records live, and what every store promises.
//!
//! Each sentence with an id (`S-01` …) is a promise; `cloakroom-conformance` has a case for each, and every store passes
//! them. Expected outcomes are answers, not errors; a [`StoreError`] means that the store could not do its work.
//!
//! `now` is the caller's judged time ([`crate::clock`]); a store with a clock of its own (SQL, Redis) judges by that and
//! says so in [`Loaded::store_now`]. All futures may be dropped at any time: an operation that was cancelled has either
//! happened whole or not at all.

mod answers;
mod erased;
mod error;
#[cfg(feature = "memory")]
pub mod memory;
mod registry;

use std::future::Future;
use std::time::Duration;

pub use answers::{
    Clock, Consistency, Created, Cursor, Deleted, Expect, Listed, Loaded, Profile, Refusal,
    Revoked, Scope, Swept, SweptSession, Touched, Updated,
};
pub use erased::{Answer, DynRegistry, DynStore};
pub use error::{ErrorKind, StoreError};
pub use registry::{Entry, Expected, Kind, Put, Registry, VALUE_MAX};

use crate::change::Change;
use crate::policy::SubjectLimit;
use crate::record::{Activity, Epoch, Record};
use crate::time::Timestamp;
use crate::token::SessionId;

/// How old a state may be that a store answers which [`Store::may_lag`].
pub const LAG: Duration = Duration::from_secs(1);

/// Keeps records by session id.
///
/// - S-01 `create` keeps the record; `load` then gives it back equal, byte for byte of data, unknown fields included.
/// - S-02 `create` with an id that is present answers [`Created::Exists`] and changes nothing.
/// - S-03 `load` of an id that is absent answers `None`.
/// - S-04 `update` applies the change in one atomic step and answers the record as written, its version one higher.
/// - S-05 `update` whose [`Expect`] does not hold answers [`Updated::Conflict`] with the newer record and changes
///   nothing.
/// - S-06 `update` and `touch` never create: on an absent or ended session they answer `Gone`.
/// - S-07 a `create`, or an `update` that brings a security block, whose `admitted` epoch is below the not-before of its
///   subject or of everything is refused with [`Refusal::Revoked`] and changes nothing: a login that races with a
///   revocation loses.
/// - S-08 of parallel `update`s with [`Expect::Version`] of one version exactly one succeeds; no successful update is
///   lost; versions of one session never repeat.
/// - S-09 parallel `update`s with [`Expect::Security`] that edit different names all succeed and all survive.
/// - S-10 `touch` moves `last_seen` and the idle deadline, never back, and changes neither data, security nor version.
/// - S-11 an operation on a session whose deadline (idle, absolute or hard cap) is at or before now answers as if it
///   were absent: `load` may still show it, `update` and `touch` answer `Gone`, also before a sweep.
/// - S-12 `delete` removes the record and its index entries; on an absent session it answers [`Deleted::Absent`]; what
///   was deleted never comes back, whatever was under way.
/// - S-13 `sweep` removes only sessions whose deadline is at or before now, at most `limit` of them, names each it
///   removed, and says whether more may be left; sessions that expire are gone after sweeps without anyone loading them.
/// - S-14 with a [`SubjectLimit`], a `create`, or an `update` that brings a new subject, beyond the limit either ends the
///   subject's oldest sessions in the same atomic step and names them, or is refused with [`Refusal::TooManySessions`];
///   parallel logins never leave more than the limit.
/// - S-15 on a durable store, what was acknowledged survives a crash of process and machine; a crash leaves each
///   operation done whole or not at all.
/// - S-16 stored bytes that are damaged are an error of kind `corrupt`, never an empty answer and never a panic.
/// - S-17 a store that is out of reach answers an error of kind `unavailable`, never `None` and never success.
/// - S-18 changes that were not acknowledged to their writer are invisible to other readers until they are kept as
///   durably as the store promises; denials (`delete`, `revoke_all`) may be visible before.
/// - S-19 of a store that declares itself `ready`, every operation is done when its future is first polled.
/// - S-20 `load_fresh` answers a state that is not older than the call. So does `load`, but for a store that says
///   [`Store::may_lag`]: there it may be one of at most [`LAG`] ago, never one from before the same handle's own writes.
pub trait Store: Send + Sync + 'static {
    /// What this store declares about itself; the suite tests it accordingly.
    fn profile(&self) -> Profile;

    /// Keeps a new record. `limit` counts the live sessions of the record's subject in its application.
    fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// The record, and what is needed to judge it.
    fn load(
        &self,
        id: SessionId,
    ) -> impl Future<Output = Result<Option<Loaded>, StoreError>> + Send;

    /// As `load`, never older than the call: for whoever was refused on what may be an older state.
    fn load_fresh(
        &self,
        id: SessionId,
    ) -> impl Future<Output = Result<Option<Loaded>, StoreError>> + Send {
        self.load(id)
    }

    /// Whether `load` may answer an older state, as a near cache does.
    fn may_lag(&self) -> bool {
        false
    }

    /// Changes a record if `expect` holds. `limit` is looked at only where the change brings a new subject.
    fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> impl Future<Output = Result<Updated, StoreError>> + Send;

    /// Notes a use. May be batched; a crash may lose it.
    fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send;

    /// Ends a session.
    fn delete(&self, id: SessionId) -> impl Future<Output = Result<Deleted, StoreError>> + Send;

    /// Clears expired sessions, at most `limit` at a time, so that it never holds up requests for long.
    fn sweep(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Swept, StoreError>> + Send;

    /// Writes what is batched, before a shutdown.
    fn flush(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Finds the sessions of a subject, and revokes them.
///
/// - I-01 `list` answers the live sessions of its scope, each once, ordered, in pages; `next` leads to the rest.
/// - I-02 a session appears in `list` of its subject from the answer to `create` or `update` on, and not after the answer
///   to `delete`.
/// - I-03 `revoke_all` ends every session of its scope that was admitted before it, except `except`, which is admitted
///   anew in the same step; from its answer on none of them opens.
/// - I-04 the truth is the not-before epoch: a session that was admitted before the revocation does not open, even where
///   the index missed it.
/// - I-05 `epoch` never goes back, and is raised by every `revoke_all` before it is answered.
/// - I-06 scopes are apart: revoking a subject in one application leaves his sessions in another, and other subjects.
/// - I-07 revoking a subject without naming an application reaches his sessions in all of them.
/// - I-08 on a durable store a not-before survives a crash, at least until every session admitted before it is past its
///   hard cap.
pub trait SubjectIndex: Send + Sync + 'static {
    /// The revocation clock: stamp it (`admitted`) on a login before its proof begins.
    fn epoch(&self) -> impl Future<Output = Result<Epoch, StoreError>> + Send;

    /// Live sessions of `scope`, at most `limit`, from `cursor` on.
    fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Listed, StoreError>> + Send;

    /// Ends all sessions of `scope`, except one.
    fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Revoked, StoreError>> + Send;
}

/// Remembers keys until a time, to notice what is presented twice.
///
/// - G-01 `first_seen` answers true exactly once for a key until its time, also under parallel calls.
/// - G-02 after its time a key may be seen for the first time again, and its memory is given back.
/// - G-03 on a durable store a key that was seen stays seen after a crash.
pub trait ReplayGuard: Send + Sync + 'static {
    /// Whether `key` is seen for the first time; remembers it until `until`. A key has at most 64 bytes.
    fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
