//! The contract: what is done here, and what by the steps of [`super::steps`].

use std::future::Future;
use std::sync::Arc;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Created, Cursor, Deleted, ErrorKind, Expect, Listed, Loaded, Profile, ReplayGuard, Revoked,
    Scope, Store, StoreError, SubjectIndex, Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};

use super::OverflowStore;

/// Goes on to its end though the caller may be gone: steps in two places happen both or not at all.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|gone| {
        Err(StoreError::new(ErrorKind::Unavailable, "a step was cut short").because(gone))
    })
}

impl Store for OverflowStore {
    fn profile(&self) -> Profile {
        Profile {
            // Not ready: what is on disk makes its caller wait.
            ready: false,
            ..self.inner.memory.profile()
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let counts = limit.max.is_some() && record.security.subject.is_some();
        if !counts && let Some(created) = self.inner.create_here(&record, now).await? {
            return Ok(created);
        }
        whole(Arc::clone(&self.inner).create(record, limit, now)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let inner = &self.inner;
        let _one = inner.locks.one().await;
        let _lock = inner.locks.read(id).await;
        inner.load(id).await
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        if change.security.is_none()
            && let Some(updated) = self.inner.update_here(id, expect, &change, now).await?
        {
            return Ok(updated);
        }
        whole(Arc::clone(&self.inner).update(id, expect, change, limit, now)).await
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        {
            let _one = self.inner.locks.one().await;
            let _lock = self.inner.locks.write(id).await;
            let answer = self.inner.memory.touch(id, activity, now).await?;
            if answer == Touched::Done || !self.inner.has_spilled() {
                return Ok(answer);
            }
        }
        whole(Arc::clone(&self.inner).touch(id, activity, now)).await
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let inner = &self.inner;
        let _one = inner.locks.one().await;
        let _lock = inner.locks.write(id).await;
        inner.remove(id).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let inner = &self.inner;
        let _all = inner.locks.all().await;
        let mut swept = Swept::default();
        {
            let mut cleared = inner.cleared.lock();
            let some = limit.min(cleared.len());
            swept.removed.extend(cleared.drain(..some));
            swept.more = !cleared.is_empty();
        }
        for in_memory in [true, false] {
            let rest = limit - swept.removed.len();
            if rest == 0 {
                swept.more = true;
                return Ok(swept);
            }
            let next = if in_memory {
                inner.memory.sweep(now, rest).await?
            } else {
                inner.disk.sweep(now, rest).await?
            };
            swept.removed.extend(next.removed);
            swept.more |= next.more;
        }
        Ok(swept)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.inner.disk.flush().await
    }
}

impl SubjectIndex for OverflowStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        let _one = self.inner.locks.one().await;
        self.inner.memory.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let inner = &self.inner;
        let _one = inner.locks.one().await;
        let _still = inner.locks.still().await;
        let mut page = inner.memory.list(scope.clone(), cursor, limit, now).await?;
        if !inner.has_spilled() {
            return Ok(page);
        }
        let disk = inner.disk.list(scope, cursor, limit, now).await?;
        page.records.extend(disk.records);
        page.records.sort_unstable_by_key(|record| record.id);
        page.records.dedup_by_key(|record| record.id);
        let more = page.next.is_some() || disk.next.is_some() || page.records.len() > limit;
        page.records.truncate(limit);
        let last = page.records.last().map(|record| Cursor(record.id));
        page.next = last.filter(|_| more);
        Ok(page)
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let inner = &self.inner;
        let _all = inner.locks.all().await;
        // Both count it, whatever is where, so that a stamp means the same in both. The disk first: it alone may fail, and
        // where it does nothing has happened yet.
        let disk = inner.disk.revoke_all(scope.clone(), except, now).await?;
        let mut revoked = inner.memory.revoke_all(scope, except, now).await?;
        debug_assert_eq!(revoked.epoch, disk.epoch);
        revoked.count += disk.count;
        revoked.ids.extend(disk.ids);
        Ok(revoked)
    }
}

impl ReplayGuard for OverflowStore {
    /// On disk alone: a key that was seen in one place would be new in the other.
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.disk.first_seen(key, until, now).await
    }
}
