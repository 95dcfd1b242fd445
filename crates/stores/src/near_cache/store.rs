//! The contract: reads from near where they may, everything else by the store.

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Created, Cursor, Deleted, Expect, Listed, Loaded, Profile, ReplayGuard, Revoked, Scope, Store,
    StoreError, SubjectIndex, Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};
use tokio::time::Instant;

use super::NearCache;
use super::shared::Shared;

/// Drops the record of a session unless the write that is under way says what became of it: it may have happened though
/// its answer is lost.
struct Unsure<'a> {
    shared: &'a Shared,
    id: Option<SessionId>,
}

impl<'a> Unsure<'a> {
    fn of(shared: &'a Shared, id: SessionId) -> Self {
        Self {
            shared,
            id: Some(id),
        }
    }

    fn settled(mut self) {
        self.id = None;
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.forget(id);
        }
    }
}

/// Denies a scope however a revocation ends.
struct Denying<'a>(&'a Shared, &'a Scope);

impl Drop for Denying<'_> {
    fn drop(&mut self) {
        self.0.denials.note(self.1);
    }
}

impl<S: Store> Store for NearCache<S> {
    fn profile(&self) -> Profile {
        Profile {
            // Who misses waits for the load that another began.
            ready: false,
            ..self.store.profile()
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let unsure = Unsure::of(&self.shared, record.id);
        let answer = self.store.create(record, limit, now).await?;
        if let Created::Done(ended) = &answer {
            ended.iter().for_each(|id| self.shared.forget(*id));
        }
        drop(unsure);
        Ok(answer)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        match self.shared.hit(id, Instant::now()) {
            Some(loaded) => Ok(Some(loaded)),
            None => self.fetch(id).await,
        }
    }

    async fn load_fresh(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.fetch_fresh(id).await
    }

    fn may_lag(&self) -> bool {
        true
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let unsure = Unsure::of(&self.shared, id);
        let answer = self.store.update(id, expect, change, limit, now).await?;
        match &answer {
            Updated::Done { record, ended } => {
                ended.iter().for_each(|id| self.shared.forget(*id));
                self.shared.wrote(record);
                unsure.settled();
            }
            // What is here is old. The newer record is not put in its place: it may be older than a write of this node
            // that was done meanwhile.
            Updated::Conflict(_) | Updated::Gone | Updated::Refused(_) => drop(unsure),
        }
        Ok(answer)
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let unsure = Unsure::of(&self.shared, id);
        let answer = self.store.touch(id, activity, now).await?;
        match answer {
            Touched::Done => {
                self.shared.touched(id, activity);
                unsure.settled();
            }
            Touched::Gone => drop(unsure),
        }
        Ok(answer)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let unsure = Unsure::of(&self.shared, id);
        let answer = self.store.delete(id).await;
        drop(unsure);
        answer
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let swept = self.store.sweep(now, limit).await?;
        for gone in &swept.removed {
            self.shared.forget(gone.id);
        }
        Ok(swept)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await
    }
}

impl<S: Store + SubjectIndex> SubjectIndex for NearCache<S> {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.store.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.store.list(scope, cursor, limit, now).await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let denying = Denying(&self.shared, &scope);
        let answer = self.store.revoke_all(scope.clone(), except, now).await;
        drop(denying);
        answer
    }
}

impl<S: ReplayGuard> ReplayGuard for NearCache<S> {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.first_seen(key, until, now).await
    }
}
