//! The contract, verb by verb.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Clock, Consistency, Created, Cursor, Deleted, Entry, Expect, Expected, Kind, Listed, Loaded,
    Profile, Put, Registry, ReplayGuard, Revoked, Scope, Store, StoreError, SubjectIndex, Swept,
    Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};

use super::RedisStore;
use super::error::unavailable;

/// Steps that follow on one another in the longest verb, each with the deadline of its own.
const STEPS: u32 = 8;

impl RedisStore {
    /// A verb of several steps has an end too.
    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let whole: Duration = self.inner.options.deadline * STEPS;
        tokio::time::timeout(whole, work)
            .await
            .unwrap_or_else(|_| Err(unavailable("Redis does not answer in time")))
    }
}

impl Store for RedisStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "redis",
            consistency: Consistency::Linearizable,
            durable: self.durable,
            shared: true,
            clock: Clock::Store,
            ready: false,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        _now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.bounded(self.inner.create(record, limit)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let found = self.inner.find(id).await?;
        Ok(found.map(super::inner::Found::into_loaded))
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        _now: Timestamp,
    ) -> Result<Updated, StoreError> {
        self.bounded(self.inner.update(id, expect, &change, limit))
            .await
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        _now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.inner.touch(id, activity).await
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.inner.delete(id).await
    }

    async fn sweep(&self, _now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.inner.sweep(limit).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        // Nothing waits here.
        Ok(())
    }
}

impl SubjectIndex for RedisStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.inner.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        _now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.inner.list(&scope, cursor, limit).await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        _now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        self.inner.revoke_all(&scope, except).await
    }
}

impl ReplayGuard for RedisStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.first_seen(key, until).await
    }
}

impl Registry for RedisStore {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        _now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        self.inner.get_entry(kind, name).await
    }

    async fn put(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
        _now: Timestamp,
    ) -> Result<Put, StoreError> {
        self.inner
            .put_entry(kind, name, expected, value, expires)
            .await
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        _now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.list_entries(kind, after, limit).await
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        self.inner.changed(kind, seen).await
    }
}
