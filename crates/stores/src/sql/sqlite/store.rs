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

use super::super::bounds;
use super::super::verbs::keys::keys_of;
use super::super::verbs::revoke::{self, EPOCH, Ended, among};
use super::super::verbs::stored::{decode_counter, not_before};
use super::super::verbs::touches::Touch;
use super::super::verbs::tx::Tx as _;
use super::super::verbs::{registry, sessions, sweep};
use super::SqliteStore;
use super::job::at_once;
use super::rows::Rows;

/// Touches that may wait in memory; one more writes them first.
const TOUCHES_MAX: usize = 64 * 1024;
/// Sessions that a listing or a count reads at a time.
const PAGE: usize = 256;
/// How long a change by another process may stay unseen by a watcher.
const LOOK: Duration = Duration::from_millis(200);

fn load(rows: &mut Rows<'_>, id: SessionId) -> Result<Option<Loaded>, StoreError> {
    let Some(row) = at_once(rows.rows(&[id]))?.pop() else {
        rows.check_gap(id)?;
        return Ok(None);
    };
    let record = row.decode(rows.pending(id))?;
    Ok(Some(Loaded {
        not_before: at_once(not_before(rows, &keys_of(&record.security)))?,
        record,
        store_now: None,
    }))
}

impl Store for SqliteStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "sqlite",
            consistency: Consistency::Linearizable,
            durable: true,
            shared: true,
            // All processes are on one machine, so there is no other clock to ask.
            clock: Clock::Caller,
            ready: false,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.write(now, move |rows| {
            at_once(sessions::create(rows, &record, limit))
        })
        .await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.shared
            .read(Timestamp::EPOCH, move |rows| load(rows, id))
            .await
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        self.write(now, move |rows| {
            let answer = at_once(sessions::update(rows, id, expect, &change, limit))?;
            if let Updated::Gone = answer {
                rows.check_gap(id)?;
            }
            Ok(answer)
        })
        .await
    }

    /// Judged by what is kept now; written with others about once a second, or at once where it may not wait.
    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let Some(loaded) = self.load(id).await? else {
            return Ok(Touched::Gone);
        };
        let record = &loaded.record;
        if now >= record.deadline() || record.security.admitted < loaded.not_before {
            return Ok(Touched::Gone);
        }
        if sessions::is_near(record, now) {
            return self
                .write(now, move |rows| {
                    at_once(sessions::touch(rows, id, activity))
                })
                .await;
        }
        if self.shared.pending.len() >= TOUCHES_MAX {
            self.flush().await?;
        }
        let touch = Touch {
            security: record.security.version,
            activity: record.activity.later(activity),
        };
        if self.shared.pending.note(id, touch) {
            self.wake();
        }
        Ok(Touched::Done)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.write(Timestamp::EPOCH, move |rows| {
            at_once(sessions::delete(rows, id))
        })
        .await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let limit = limit.min(sweep::AT_ONCE);
        self.write(now, move |rows| {
            let mut swept = at_once(sweep::sweep(rows, limit))?;
            swept.more |= at_once(sweep::tidy(rows, limit))?;
            Ok(swept)
        })
        .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let some = shared.pending.some(usize::MAX);
        let touches = some.clone();
        self.write(Timestamp::EPOCH, move |rows| {
            for (id, touch) in &some {
                at_once(rows.write_touch(*id, *touch))?;
            }
            Ok(())
        })
        .await?;
        shared.pending.written(&touches);
        Ok(())
    }
}

impl SubjectIndex for SqliteStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        let read = |rows: &mut Rows<'_>| {
            let value = at_once(rows.counter(EPOCH))?;
            Ok(Epoch(decode_counter(EPOCH, value.as_deref())?))
        };
        self.shared.read(Timestamp::EPOCH, read).await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let scope = Arc::new(scope);
        let mut listed = Listed::default();
        let mut after = cursor.map(|Cursor(id)| id);
        loop {
            let (of, room) = (Arc::clone(&scope), limit - listed.records.len());
            let page = move |rows: &mut Rows<'_>| at_once(list_page(rows, &of, after, room, now));
            let (records, last) = self.shared.read(now, page).await?;
            listed.records.extend(records);
            if listed.records.len() > limit {
                listed.records.truncate(limit);
                listed.next = listed.records.last().map(|last| Cursor(last.id));
                return Ok(listed);
            }
            let Some(last) = last else {
                return Ok(listed);
            };
            after = Some(last);
        }
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let scope = Arc::new(scope);
        let of = Arc::clone(&scope);
        let step = self
            .write(now, move |rows| at_once(revoke::revoke(rows, &of, except)))
            .await?;
        let ids = match step.ended {
            Ended::Now(ids) => ids,
            Ended::Later(before) => {
                let judge = (before, step.epoch, step.now);
                self.count(scope, judge).await?
            }
        };
        Ok(Revoked {
            count: ids.len() as u64,
            epoch: step.epoch,
            ids,
        })
    }
}

/// Live sessions of the next few of `scope`, one more than there is `room` at most, and where to go on.
async fn list_page(
    rows: &mut Rows<'_>,
    scope: &Scope,
    after: Option<SessionId>,
    room: usize,
    now: Timestamp,
) -> Result<(Vec<Arc<Record>>, Option<SessionId>), StoreError> {
    let ids = rows.ids(among(scope), after, PAGE).await?;
    let mut live = Vec::new();
    for row in rows.rows(&ids).await? {
        let record = row.decode(rows.pending(row.id))?;
        let security = &record.security;
        if scope.covers(&record)
            && now < record.deadline()
            && security.admitted >= not_before(rows, &keys_of(security)).await?
        {
            live.push(record);
        }
        if live.len() > room {
            break;
        }
    }
    Ok((live, ids.last().copied().filter(|_| ids.len() == PAGE)))
}

impl SqliteStore {
    /// The sessions of `scope` that a revocation found live, page by page.
    async fn count(
        &self,
        scope: Arc<Scope>,
        (before, epoch, now): (revoke::Before, Epoch, Timestamp),
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut live = Vec::new();
        let mut after = None;
        loop {
            let (scope, before) = (Arc::clone(&scope), before.clone());
            let page = move |rows: &mut Rows<'_>| {
                let ids = at_once(rows.ids(among(&scope), after, PAGE))?;
                let mut live = Vec::new();
                for row in at_once(rows.rows(&ids))? {
                    // What is damaged is denied in any case.
                    let Ok(record) = row.decode(rows.pending(row.id)) else {
                        continue;
                    };
                    let denials = at_once(rows.not_befores(&keys_of(&record.security)))?;
                    if scope.covers(&record) && before.was_live(&record, &denials, (epoch, now))? {
                        live.push(row.id);
                    }
                }
                Ok((live, ids))
            };
            let (some, ids) = self.shared.read(now, page).await?;
            live.extend(some);
            if ids.len() < PAGE {
                return Ok(live);
            }
            after = ids.last().copied();
        }
    }
}

impl ReplayGuard for SqliteStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        bounds::check_replay(key)?;
        let key: Box<[u8]> = key.into();
        self.write(now, move |rows| rows.first_seen(&key, until))
            .await
    }
}

impl Registry for SqliteStore {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        bounds::check_name(name)?;
        let name: Box<str> = name.into();
        self.shared
            .read(now, move |rows| at_once(registry::get(rows, kind, &name)))
            .await
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
        let write = registry::Write {
            kind,
            name: name.into(),
            expected,
            value,
            expires,
        };
        write.check()?;
        let put = self
            .write(now, move |rows| at_once(registry::put(rows, &write)))
            .await?;
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
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let after = after.map(Box::<str>::from);
        let list =
            move |rows: &mut Rows<'_>| at_once(registry::list(rows, kind, after.as_deref(), limit));
        self.shared.read(now, list).await
    }

    /// Writes of this process wake it; those of others are looked for.
    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        let mut revisions = self.shared.revisions.of(kind);
        loop {
            let name = registry::revision(kind);
            let read = move |rows: &mut Rows<'_>| {
                let value = at_once(rows.counter(name))?;
                decode_counter(name, value.as_deref())
            };
            let revision = self.shared.read(Timestamp::EPOCH, read).await?;
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
