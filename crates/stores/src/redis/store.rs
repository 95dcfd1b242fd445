//! The contract, verb by verb.

use std::sync::Arc;
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
use super::inner::Shared;

/// Steps that follow on one another in the longest verb, each with the deadline of its own.
const STEPS: u32 = 8;

impl RedisStore {
    /// Carries a verb of several steps out to its end, also where the caller goes away: half a login would leave sessions
    /// that were to end for it.
    async fn to_the_end<T, W>(&self, work: impl FnOnce(Shared) -> W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let task = tokio::spawn(work(Arc::clone(&self.inner)));
        let whole: Duration = self.inner.options.deadline * STEPS;
        match tokio::time::timeout(whole, task).await {
            Ok(done) => done.unwrap_or_else(|_| Err(unavailable("a store task has stopped"))),
            Err(_) => Err(unavailable("Redis does not answer in time")),
        }
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
        self.to_the_end(async move |inner| inner.create(record, limit).await)
            .await
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
        if change.security.is_none() {
            return self.inner.update(id, expect, &change, limit).await;
        }
        self.to_the_end(async move |inner| inner.update(id, expect, &change, limit).await)
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
        self.to_the_end(async move |inner| inner.delete(id).await)
            .await
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
        // It may have many sessions to end, so it has no end of its own; each step has.
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move { inner.revoke_all(&scope, except).await });
        task.await
            .unwrap_or_else(|_| Err(unavailable("a store task has stopped")))
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
