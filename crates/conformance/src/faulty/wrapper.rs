//! The wrapper: every operation by delegation, with faults before or after it.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Created, Cursor, Deleted, Entry, Expect, Expected, Kind, Listed, Loaded, Profile, Put,
    Registry, ReplayGuard, Revoked, Scope, Store, SubjectIndex, Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, StoreError, SubjectLimit, Timestamp};

use super::{Faults, Operation};

/// A store or registry that fails on command and is otherwise the one it wraps.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: Arc<S>,
    faults: Faults,
}

impl<S> Faulty<S> {
    /// Wraps `inner`; without a fault it changes nothing.
    pub fn new(inner: S) -> Self {
        Self::sharing(Arc::new(inner), Faults::default())
    }

    /// Wraps a store that others hold too, programmed by `faults`, which may be another wrapper's as well.
    pub fn sharing(inner: Arc<S>, faults: Faults) -> Self {
        Self { inner, faults }
    }

    /// The handle that programs it.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The store behind it, where nothing fails.
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }
}

impl<S> Clone for Faulty<S> {
    fn clone(&self) -> Self {
        Self::sharing(Arc::clone(&self.inner), self.faults.clone())
    }
}

macro_rules! with_faults {
    ($self:ident, $operation:ident, $call:expr) => {{
        let after = $self.faults.before(Operation::$operation).await?;
        let answer = $call.await?;
        after.strike().await?;
        Ok(answer)
    }};
}

impl<S: Store> Store for Faulty<S> {
    fn profile(&self) -> Profile {
        Profile {
            // Faults may make callers wait.
            ready: false,
            ..self.inner.profile()
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        with_faults!(self, Create, self.inner.create(record, limit, now))
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        with_faults!(self, Load, self.inner.load(id))
    }

    async fn load_fresh(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        with_faults!(self, Load, self.inner.load_fresh(id))
    }

    fn may_lag(&self) -> bool {
        self.inner.may_lag()
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        with_faults!(
            self,
            Update,
            self.inner.update(id, expect, change, limit, now)
        )
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        with_faults!(self, Touch, self.inner.touch(id, activity, now))
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        with_faults!(self, Delete, self.inner.delete(id))
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        with_faults!(self, Sweep, self.inner.sweep(now, limit))
    }

    async fn flush(&self) -> Result<(), StoreError> {
        with_faults!(self, Flush, self.inner.flush())
    }
}

impl<S: SubjectIndex> SubjectIndex for Faulty<S> {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        with_faults!(self, Epoch, self.inner.epoch())
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        with_faults!(
            self,
            ListSessions,
            self.inner.list(scope, cursor, limit, now)
        )
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        with_faults!(self, RevokeAll, self.inner.revoke_all(scope, except, now))
    }
}

impl<S: ReplayGuard> ReplayGuard for Faulty<S> {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        with_faults!(self, FirstSeen, self.inner.first_seen(key, until, now))
    }
}

impl<S: Registry> Registry for Faulty<S> {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        with_faults!(self, Get, self.inner.get(kind, name, now))
    }

    async fn put(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        with_faults!(
            self,
            Put,
            self.inner.put(kind, name, expected, value, expires, now)
        )
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        with_faults!(self, ListEntries, self.inner.list(kind, after, limit, now))
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        with_faults!(self, Changed, self.inner.changed(kind, seen))
    }
}
