//! The contract, verb by verb.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Clock, Consistency, Created, Cursor, Deleted, Entry, Expect, Expected, Kind, Listed, Loaded,
    Profile, Put, Refusal, Registry, ReplayGuard, Revoked, Scope, Store, StoreError, SubjectIndex,
    Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};

use super::super::bounds;
use super::super::verbs::revoke::{self, Before, EPOCH, Ended, among};
use super::super::verbs::stored::decode_counter;
use super::super::verbs::touches::Touch;
use super::super::verbs::tx::Tx as _;
use super::super::verbs::{registry, sessions, sweep};
use super::MysqlStore;
use super::link::{Shared, transact};
use super::transaction::Rows;

/// Touches that may wait in memory; one more writes them first.
const TOUCHES_MAX: usize = 64 * 1024;
/// Touches that one transaction writes.
const TOUCHES: usize = 256;
/// Sessions that a listing or a count reads at a time.
const PAGE: usize = 256;
/// How often an update is computed anew from what others wrote, before it takes its turn behind a lock.
const TRIES: usize = 3;
/// How long a change by another node may stay unseen by a watcher.
const LOOK: Duration = Duration::from_millis(300);

impl Store for MysqlStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "mysql",
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
        _now: Timestamp,
    ) -> Result<Created, StoreError> {
        sessions::check_size(&record)?;
        let security = &record.security;
        let is_limited = security.subject.is_some() && limit.max.is_some();
        if !is_limited && security.hard_cap <= self.shared.known_cap() {
            match self.shared.insert(&record).await? {
                Some(true) => return Ok(Created::Done(Vec::new())),
                Some(false) => return Ok(Created::Refused(Refusal::Revoked)),
                // It may be an expired one's.
                None => {}
            }
        }
        transact!(self.shared, |rows| sessions::create(rows, &record, limit))
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.shared.find(id).await
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        _now: Timestamp,
    ) -> Result<Updated, StoreError> {
        if change.security.is_none()
            && let Some(answer) = self
                .shared
                .update_optimistically(id, expect, &change)
                .await?
        {
            return Ok(answer);
        }
        transact!(self.shared, |rows| sessions::update(
            rows, id, expect, &change, limit
        ))
    }

    /// Judged by what is kept now; written with others about once a second, or at once where it may not wait.
    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        _now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let Some(loaded) = self.shared.find(id).await? else {
            return Ok(Touched::Gone);
        };
        let record = &loaded.record;
        let now = loaded.store_now.unwrap_or(Timestamp::NEVER);
        if now >= record.deadline() || record.security.admitted < loaded.not_before {
            return Ok(Touched::Gone);
        }
        if sessions::is_near(record, now) {
            return transact!(self.shared, |rows| sessions::touch(rows, id, activity));
        }
        if self.shared.pending.len() >= TOUCHES_MAX {
            self.flush().await?;
        }
        let touch = Touch {
            security: record.security.version,
            activity: record.activity.later(activity),
        };
        self.shared.pending.note(id, touch);
        Ok(Touched::Done)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        transact!(self.shared, |rows| sessions::delete(rows, id))
    }

    async fn sweep(&self, _now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let limit = limit.min(sweep::AT_ONCE);
        let mut swept = transact!(self.shared, |rows| sweep::sweep(rows, limit))?;
        match transact!(self.shared, |rows| sweep::tidy(rows, limit)) {
            Ok(more) => swept.more |= more,
            // What was swept has to be told; the next one tidies.
            Err(error) => tracing::warn!(%error, "a sweep was cut short"),
        }
        Ok(swept)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.shared.write_touches().await
    }
}

impl Shared {
    /// Computes an update from what was read last, or is read now, and writes it if that still stands. `None` where
    /// others were faster again and again.
    async fn update_optimistically(
        &self,
        id: SessionId,
        expect: Expect,
        change: &Change,
    ) -> Result<Option<Updated>, StoreError> {
        let mut known = self
            .recent
            .get(id)
            .filter(|base| expect.holds(&base.record));
        for _ in 0..TRIES {
            let base = match known.take() {
                Some(base) => base,
                None => {
                    let Some(loaded) = self.find(id).await? else {
                        return Ok(Some(Updated::Gone));
                    };
                    let record = &loaded.record;
                    let now = loaded.store_now.unwrap_or(Timestamp::NEVER);
                    if now >= record.deadline() || record.security.admitted < loaded.not_before {
                        return Ok(Some(Updated::Gone));
                    }
                    if !expect.holds(record) {
                        return Ok(Some(Updated::Conflict(loaded)));
                    }
                    match self.recent.get(id) {
                        Some(base) => base,
                        // Too large to be kept.
                        None => return Ok(None),
                    }
                }
            };
            if !expect.holds(&base.record) {
                continue;
            }
            let mut old = (*base.record).clone();
            if let Some(touch) = self.pending.get(id) {
                touch.fold(&mut old);
            }
            let record = old.apply(change);
            sessions::check_size(&record)?;
            if self.exchange(&base, &record).await? {
                return Ok(Some(Updated::Done {
                    record: Arc::new(record),
                    ended: Vec::new(),
                }));
            }
        }
        Ok(None)
    }

    /// Writes the touches that wait, in small transactions by ascending id.
    pub(super) async fn write_touches(self: &Arc<Self>) -> Result<(), StoreError> {
        loop {
            let some = self.pending.some(TOUCHES);
            if some.is_empty() {
                return Ok(());
            }
            transact!(self, |rows| write_some(rows, &some))?;
            self.pending.written(&some);
        }
    }

    /// The sessions of `scope` that a revocation found live, page by page.
    async fn count(
        &self,
        scope: &Scope,
        (before, epoch, now): (Before, Epoch, Timestamp),
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut live = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(among(scope), after, PAGE).await?;
            for found in &page {
                // What is damaged is denied in any case.
                let Ok((record, denials)) = found.decode(self) else {
                    continue;
                };
                if scope.covers(&record) && before.was_live(&record, &denials, (epoch, now))? {
                    live.push(record.id);
                }
            }
            if page.len() < PAGE {
                return Ok(live);
            }
            after = page.last().map(super::single::Found::id);
        }
    }
}

async fn write_some(rows: &mut Rows, touches: &[(SessionId, Touch)]) -> Result<(), StoreError> {
    for (id, touch) in touches {
        rows.write_touch(*id, *touch).await?;
    }
    Ok(())
}

impl SubjectIndex for MysqlStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        let value = self.shared.counter(EPOCH).await?;
        Ok(Epoch(decode_counter(EPOCH, value.as_deref())?))
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        _now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let mut listed = Listed::default();
        let mut after = cursor.map(|Cursor(id)| id);
        loop {
            let page = self.shared.page(among(&scope), after, PAGE).await?;
            for found in &page {
                let Loaded {
                    record, not_before, ..
                } = found.loaded(&self.shared)?;
                let live = found.now < record.deadline() && record.security.admitted >= not_before;
                if !live || !scope.covers(&record) {
                    continue;
                }
                if listed.records.len() == limit {
                    listed.next = listed.records.last().map(|last| Cursor(last.id));
                    return Ok(listed);
                }
                listed.records.push(record);
            }
            if page.len() < PAGE {
                return Ok(listed);
            }
            after = page.last().map(super::single::Found::id);
        }
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        _now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let step = transact!(self.shared, |rows| revoke::revoke(rows, &scope, except))?;
        let ids = match step.ended {
            Ended::Now(ids) => ids,
            Ended::Later(before) => {
                let judge = (before, step.epoch, step.now);
                self.shared.count(&scope, judge).await?
            }
        };
        Ok(Revoked {
            count: ids.len() as u64,
            epoch: step.epoch,
            ids,
        })
    }
}

impl ReplayGuard for MysqlStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        bounds::check_replay(key)?;
        self.shared.first_seen(key, until).await
    }
}

impl Registry for MysqlStore {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        _now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        bounds::check_name(name)?;
        let Some((sealed, now)) = self.shared.entry(kind.as_str(), name).await? else {
            return Ok(None);
        };
        registry::open(kind, name, &sealed, now)
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
        let write = registry::Write {
            kind,
            name: name.into(),
            expected,
            value,
            expires,
        };
        write.check()?;
        let put = transact!(self.shared, |rows| registry::put(rows, &write))?;
        if let Put::Done(version) = put {
            self.shared.revisions.wrote(kind, version);
        }
        Ok(put)
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        _now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        transact!(self.shared, |rows| registry::list(rows, kind, after, limit))
    }

    /// Writes of this process wake it; those of others are looked for.
    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        let mut revisions = self.shared.revisions.of(kind);
        loop {
            let name = registry::revision(kind);
            let value = self.shared.counter(name).await?;
            let revision = decode_counter(name, value.as_deref())?;
            if revision > seen {
                return Ok(revision);
            }
            let newer = revisions.wait_for(|revision| *revision > seen);
            if let Ok(Ok(revision)) = tokio::time::timeout(LOOK, newer).await {
                return Ok(*revision);
            }
        }
    }
}
