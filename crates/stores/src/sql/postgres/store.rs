//! The contract, verb by verb. The database's clock judges, so the caller's `now` is not looked at.

use bytes::Bytes;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Clock, Consistency, Created, Cursor, Deleted, Entry, Expect, Expected, Kind, Listed, Loaded,
    Profile, Put, Registry, ReplayGuard, Revoked, Scope, Store, StoreError, SubjectIndex, Swept,
    Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};

use super::PostgresStore;
use super::registry::Write;
use crate::sql::bounds::{check_name, check_replay, check_value};

impl Store for PostgresStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "postgres",
            consistency: Consistency::Linearizable,
            durable: true,
            shared: true,
            clock: Clock::Store,
            ready: false,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        _: Timestamp,
    ) -> Result<Created, StoreError> {
        self.shared.create(&record, limit).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let fetched = self.shared.fetch(id, self.shared.deadline()).await?;
        Ok(fetched.map(|fetched| fetched.loaded))
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        _: Timestamp,
    ) -> Result<Updated, StoreError> {
        self.shared.update(id, expect, &change, limit).await
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        _: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.shared.touch(id, activity).await
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.shared.delete(id).await
    }

    async fn sweep(&self, _: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.shared.sweep(limit).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.shared.flush().await
    }
}

impl SubjectIndex for PostgresStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.shared.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        _: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.shared.list(&scope, cursor, limit).await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        _: Timestamp,
    ) -> Result<Revoked, StoreError> {
        self.shared.revoke_all(scope, except).await
    }
}

impl ReplayGuard for PostgresStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        check_replay(key)?;
        self.shared.first_seen(key, until).await
    }
}

impl Registry for PostgresStore {
    async fn get(&self, kind: Kind, name: &str, _: Timestamp) -> Result<Option<Entry>, StoreError> {
        check_name(name)?;
        self.shared.entry(kind, name).await
    }

    async fn put(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
        _: Timestamp,
    ) -> Result<Put, StoreError> {
        check_name(name)?;
        check_value(value.as_deref())?;
        let write = Write {
            kind,
            name,
            expected,
            value,
            expires,
        };
        self.shared.put(write).await
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        _: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        self.shared
            .entries(kind, after.unwrap_or_default(), limit)
            .await
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        self.shared.changed(kind, seen).await
    }
}
