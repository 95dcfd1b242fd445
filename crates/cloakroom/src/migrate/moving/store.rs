//! The store contract over both stores.

use cloakroom_core::store::{
    Consistency, Created, Deleted, ErrorKind, Expect, Loaded, Profile, ReplayGuard, Scope, Store,
    Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, StoreError, SubjectLimit, Timestamp};

use super::Moving;
use super::session::{Place, is_marked};

impl Store for Moving {
    fn profile(&self) -> Profile {
        let (old, new) = (self.old.profile(), self.new.profile());
        Profile {
            name: new.name,
            consistency: match (old.consistency, new.consistency) {
                (Consistency::Linearizable, new) => new,
                (old, _) => old,
            },
            durable: old.durable && new.durable,
            shared: old.shared && new.shared,
            clock: new.clock,
            ready: false,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        if self.old.load(record.id).await?.is_some() {
            return Ok(Created::Exists);
        }
        self.gather_for(&record, limit).await?;
        let created = self.new.create(record, limit, now).await?;
        if let Created::Done(ended) = &created {
            self.bury(ended, now).await?;
        }
        Ok(created)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        Ok(match self.settle(id, self.clock.now()).await? {
            Place::New(there) => Some(there),
            Place::Over(here) => Some(here),
            Place::Nowhere => None,
        })
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let Place::New(there) = self.settle(id, now).await? else {
            return Ok(Updated::Gone);
        };
        if change.security.is_some() {
            self.gather_for(&there.record.apply(&change), limit).await?;
        }
        let updated = self.new.update(id, expect, change, limit, now).await?;
        if let Updated::Done { ended, .. } = &updated {
            self.bury(ended, now).await?;
        }
        Ok(updated)
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        match self.settle(id, now).await? {
            Place::New(_) => self.new.touch(id, activity, now).await,
            Place::Over(_) | Place::Nowhere => Ok(Touched::Gone),
        }
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let this = self.clone();
        // Not cut off between the two stores, even where the caller is.
        whole(async move { this.end(id, this.clock.now()).await }).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let mut swept = self.old.sweep(now, limit).await?;
        let mut removed = Vec::with_capacity(swept.removed.len());
        for gone in swept.removed {
            // What was left behind by a move has not ended.
            let there = self.new.load(gone.id).await?;
            if there.is_none_or(|there| is_marked(&there.record)) {
                removed.push(gone);
            }
        }
        let left = limit.saturating_sub(removed.len());
        if left > 0 {
            let there = self.new.sweep(now, left).await?;
            swept.more |= there.more;
            removed.extend(there.removed);
        }
        Ok(Swept {
            removed,
            more: swept.more || left == 0,
        })
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.old.flush().await?;
        self.new.flush().await
    }
}

impl ReplayGuard for Moving {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.new.first_seen(key, until, now).await?
            && self.old.first_seen(key, until, now).await?)
    }
}

impl Moving {
    /// Where a limit counts a subject's sessions, they must be in one store.
    async fn gather_for(&self, record: &Record, limit: SubjectLimit) -> Result<(), StoreError> {
        let security = &record.security;
        let (Some(subject), Some(_)) = (&security.subject, limit.max) else {
            return Ok(());
        };
        let scope = Scope::Subject {
            app: security.app.clone(),
            subject: subject.clone(),
        };
        self.gather(scope, &mut |_| {}).await.map(drop)
    }

    /// Sessions that ended for another one must not be moved again by somebody who looked at them before.
    async fn bury(&self, ended: &[SessionId], now: Timestamp) -> Result<(), StoreError> {
        for id in ended {
            self.end(*id, now).await?;
        }
        Ok(())
    }
}

/// Runs to its end, also where its caller goes away.
pub(super) async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let cut_off = |_| {
        StoreError::new(
            ErrorKind::Unavailable,
            "a step over both stores was cut off",
        )
    };
    tokio::spawn(work).await.map_err(cut_off)?
}
