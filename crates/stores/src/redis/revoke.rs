//! Listing and revoking. The not-before is the truth; the index only finds what it ends.

use ::redis::Value;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Cursor, Expect, Listed, Revoked, Scope, StoreError, Updated};
use cloakroom_core::{App, Change, SessionId, Subject, SubjectLimit, Timestamp};
use futures_util::future::{join_all, try_join_all};

use super::admission::{Entry, session};
use super::error::unavailable;
use super::inner::{Inner, array, epoch_of};
use super::keys::{Key, Owner};
use super::reassert::Said;
use super::route::Care;
use super::script::RAISE;

/// Buckets, and sessions, that are looked at together.
const AT_ONCE: usize = 64;
/// How long a not-before is kept after the last session that it denies could end: hard caps are 90 days unless set.
const KEEP_MS: i64 = 400 * 24 * 60 * 60 * 1000;
/// For what is never given back.
const FOR_EVER: i64 = 10_000_000_000_000_000;

impl Inner {
    pub(super) async fn epoch(&self) -> Result<Epoch, StoreError> {
        let (key, slot) = self.keys.epoch();
        let mut cmd = ::redis::cmd("GET");
        cmd.arg(key);
        epoch_of(&self.router.read(slot, &cmd).await?)
    }

    /// Raises the revocation clock. A second try only raises it twice.
    async fn next_epoch(&self) -> Result<Epoch, StoreError> {
        let (key, slot) = self.keys.epoch();
        let mut cmd = ::redis::cmd("INCRBY");
        cmd.arg(&key).arg(Epoch::ZERO.next(0).0);
        let epoch = epoch_of(&self.router.call(slot, &cmd, None, Care::Kept).await?)?;
        self.log.note(Said::Raised { key, slot, epoch });
        Ok(epoch)
    }

    pub(super) async fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Listed, StoreError> {
        let after = cursor.map(|Cursor(id)| id);
        let mut listed = Listed::default();
        let mut candidates = self.candidates(scope, after).await?;
        loop {
            let ids = candidates.next(self, AT_ONCE.min(limit + 1)).await?;
            if ids.is_empty() {
                break;
            }
            for (id, found) in self.find_all(&ids).await? {
                let Some(found) = found else { continue };
                if !found.is_live() || !scope.covers(&found.row.record) {
                    continue;
                }
                if listed.records.len() == limit {
                    listed.next = listed.records.last().map(|last| Cursor(last.id));
                    return Ok(listed);
                }
                debug_assert_eq!(id, found.row.record.id);
                listed.records.push(found.row.record);
            }
        }
        Ok(listed)
    }

    /// What may lie in `scope`, ascending; the records decide.
    async fn candidates(
        &self,
        scope: &Scope,
        after: Option<SessionId>,
    ) -> Result<Candidates, StoreError> {
        match scope {
            Scope::Everything | Scope::App(_) => Ok(Candidates::of_buckets(self, after)),
            Scope::Subject { app, subject } => {
                let mut entries = self.entries(subject).await?;
                let app = app.as_ref().map(App::as_str);
                entries.retain(|entry| !entry.is_ending && app.is_none_or(|app| app == entry.app));
                let ids = entries.into_iter().map(|entry| entry.id);
                Ok(Candidates::these(ids, after))
            }
        }
    }

    pub(super) async fn revoke_all(
        &self,
        scope: &Scope,
        except: Option<SessionId>,
    ) -> Result<Revoked, StoreError> {
        let epoch = self.next_epoch().await?;
        let kept = match except {
            Some(id) if self.readmit(scope, id, epoch).await? => Some(id),
            _ => None,
        };
        let before = self.raise(scope, epoch).await?;
        // From here on none of them opens. What cannot be counted or removed now is denied all the same.
        let ids = match self.end_all(scope, kept, epoch, &before).await {
            Ok(ids) => ids,
            Err(error) => {
                tracing::warn!(%error, "a revocation holds, but could not look at every session");
                Vec::new()
            }
        };
        Ok(Revoked {
            count: ids.len() as u64,
            epoch,
            ids,
        })
    }

    /// The one that stays is admitted anew, before the not-before would deny it. Answers whether there is one.
    async fn readmit(
        &self,
        scope: &Scope,
        id: SessionId,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        for _ in 0..32 {
            let Some(found) = self.find(id).await? else {
                return Ok(false);
            };
            if !found.is_live() || !scope.covers(&found.row.record) {
                return Ok(false);
            }
            let mut security = found.row.record.security.clone();
            let expect = Expect::Security(security.version);
            security.version += 1;
            security.admitted = epoch;
            let change = Change {
                security: Some(security),
                ..Change::default()
            };
            match self.update(id, expect, &change, SubjectLimit::NONE).await? {
                Updated::Done { .. } => return Ok(true),
                Updated::Gone => return Ok(false),
                Updated::Conflict(_) | Updated::Refused(_) => {}
            }
        }
        Err(unavailable("a session is changed too often"))
    }

    /// Sets the not-before of `scope`. Answers what stood there, for each place where it stands.
    async fn raise(&self, scope: &Scope, epoch: Epoch) -> Result<Vec<Epoch>, StoreError> {
        let mut before = Vec::new();
        for places in self.places(scope).chunks(AT_ONCE) {
            let raising = places
                .iter()
                .map(|(slot, key)| self.raise_one(*slot, key.clone(), epoch));
            before.extend(try_join_all(raising).await?);
        }
        Ok(before)
    }

    async fn raise_one(&self, slot: u16, key: Key, epoch: Epoch) -> Result<Epoch, StoreError> {
        let before = self.say_raised(slot, key.clone(), epoch, KEEP_MS).await?;
        self.log.note(Said::Raised { key, slot, epoch });
        Ok(before)
    }

    async fn say_raised(
        &self,
        slot: u16,
        key: Key,
        epoch: Epoch,
        keep: i64,
    ) -> Result<Epoch, StoreError> {
        let answer = self
            .script(slot, &RAISE, &[key], Care::Kept, |cmd| {
                cmd.arg(epoch.0).arg(keep);
            })
            .await?;
        epoch_of(&answer)
    }

    /// Says it again after a failover.
    pub(super) async fn raise_again(
        &self,
        slot: u16,
        key: Key,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let keep = if key == self.keys.epoch().0 {
            FOR_EVER
        } else {
            KEEP_MS
        };
        self.say_raised(slot, key, epoch, keep).await.map(drop)
    }

    /// The keys where the not-before of `scope` stands: one of a subject, or a copy in each bucket.
    fn places(&self, scope: &Scope) -> Vec<(u16, Key)> {
        let app = match scope {
            Scope::Subject { app, subject } => {
                let owner = Owner {
                    app: app.clone(),
                    subject: Some(subject.clone()),
                };
                let slot = self.keys.subject_slot(subject);
                let key = self.keys.subject_not_befores(&owner).pop();
                return key.map(|key| (slot, key)).into_iter().collect();
            }
            Scope::Everything => None,
            Scope::App(app) => Some(app),
        };
        let place = |bucket| {
            let key = self.keys.bucket_not_befores(bucket, app).pop();
            key.map(|key| (self.keys.bucket_slot(bucket), key))
        };
        (0..self.keys.buckets()).filter_map(place).collect()
    }

    async fn end_all(
        &self,
        scope: &Scope,
        kept: Option<SessionId>,
        epoch: Epoch,
        before: &[Epoch],
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut ended = Vec::new();
        if let Scope::Subject { app, subject } = scope {
            let mut entries = self.entries(subject).await?;
            entries.retain(|entry| app.as_ref().is_none_or(|app| app.as_str() == entry.app));
            for some in entries.chunks(AT_ONCE) {
                let ids = some
                    .iter()
                    .map(|entry| entry.id)
                    .filter(|id| Some(*id) != kept);
                ended.extend(self.end_some(scope, ids.collect(), epoch, before).await);
            }
            entries.retain(|entry| Some(entry.id) != kept);
            self.forget_all(subject, &entries).await;
            return Ok(ended);
        }
        let mut candidates = Candidates::of_buckets(self, None);
        loop {
            let mut ids = candidates.next(self, AT_ONCE).await?;
            if ids.is_empty() {
                return Ok(ended);
            }
            ids.retain(|id| Some(*id) != kept);
            ended.extend(self.end_some(scope, ids, epoch, before).await);
        }
    }

    async fn forget_all(&self, subject: &Subject, entries: &[Entry]) {
        self.heal(subject, entries.to_vec()).await;
    }

    /// Ends those of `ids` that the revocation means; answers which of them were live.
    async fn end_some(
        &self,
        scope: &Scope,
        ids: Vec<SessionId>,
        epoch: Epoch,
        before: &[Epoch],
    ) -> Vec<SessionId> {
        let ending = ids.into_iter().map(|id| async move {
            match self.end_one(scope, id, epoch, before).await {
                Ok(ended) => ended.then_some(id),
                Err(error) => {
                    tracing::warn!(%id, %error, "a revoked session could not be removed; it does not open");
                    None
                }
            }
        });
        join_all(ending).await.into_iter().flatten().collect()
    }

    async fn end_one(
        &self,
        scope: &Scope,
        id: SessionId,
        epoch: Epoch,
        before: &[Epoch],
    ) -> Result<bool, StoreError> {
        let Some(found) = self.find(id).await? else {
            return Ok(false);
        };
        let record = &found.row.record;
        if !scope.covers(record) || record.security.admitted >= epoch {
            return Ok(false);
        }
        let not_before = self.other_not_befores(scope, id, record, before).await?;
        let was_live = record.deadline() > found.now && record.security.admitted >= not_before;
        let owner = Owner::of(record);
        let owner = owner.subject.is_some().then_some(&owner);
        let ended = self.end(id, owner, None, Some(epoch)).await?;
        let subject = record.security.subject.as_ref();
        if let (Some(subject), false) = (subject, matches!(scope, Scope::Subject { .. })) {
            let version = record.security.version.to_string();
            self.forget(subject, &[id], "v", version.as_bytes()).await;
        }
        Ok(was_live && ended.is_some())
    }

    /// What covered a session before the revocation of `scope`.
    async fn other_not_befores(
        &self,
        scope: &Scope,
        id: SessionId,
        record: &cloakroom_core::Record,
        before: &[Epoch],
    ) -> Result<Epoch, StoreError> {
        let raised = self.places(scope);
        let bucket = usize::from(self.keys.bucket(id));
        let place = if raised.len() == 1 { 0 } else { bucket };
        let (raised, old) = match (raised.get(place), before.get(place)) {
            (Some((_, key)), Some(old)) => (key, *old),
            _ => return Ok(Epoch::ZERO),
        };
        let owner = Owner::of(record);
        let mut covering = self.covering(id, &owner);
        covering.here.retain(|key| key != raised);
        let mut latest = old;
        if !covering.here.is_empty() {
            let here = Some((self.slot(id), covering.here));
            latest = latest.max(self.latest(here.as_ref()).await?);
        }
        if let Some((slot, mut keys)) = covering.there {
            keys.retain(|key| key != raised);
            if !keys.is_empty() {
                latest = latest.max(self.latest(Some(&(slot, keys))).await?);
            }
        }
        Ok(latest)
    }

    /// All ids in a bucket, ascending.
    async fn bucket_ids(&self, bucket: u16) -> Result<Vec<SessionId>, StoreError> {
        let mut cmd = ::redis::cmd("ZRANGE");
        cmd.arg(self.keys.due(bucket)).arg(0).arg(-1);
        let answer = self
            .router
            .read(self.keys.bucket_slot(bucket), &cmd)
            .await?;
        let ids: Result<Vec<_>, _> = array(answer)?.into_iter().map(session).collect();
        let mut ids = ids?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Ids in a bucket whose queued deadline is past.
    pub(super) async fn due_ids(
        &self,
        bucket: u16,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(SessionId, Timestamp)>, StoreError> {
        let mut cmd = ::redis::cmd("ZRANGEBYSCORE");
        cmd.arg(self.keys.due(bucket))
            .arg("-inf")
            .arg(now.as_millis())
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(limit);
        let answer = self
            .router
            .read(self.keys.bucket_slot(bucket), &cmd)
            .await?;
        let mut words = array(answer)?.into_iter();
        let mut due = Vec::new();
        while let (Some(id), Some(Value::BulkString(score))) = (words.next(), words.next()) {
            let score = std::str::from_utf8(&score)
                .ok()
                .and_then(|s| s.parse::<f64>().ok());
            let deadline = Timestamp::from_millis(score.unwrap_or(0.0) as i64);
            due.push((session(id)?, deadline));
        }
        Ok(due)
    }
}

/// Ids that may lie in a scope, ascending.
struct Candidates {
    ready: std::vec::IntoIter<SessionId>,
    after: Option<SessionId>,
    /// The bucket to read next, and how many together: more while they are empty.
    bucket: u16,
    buckets: u16,
    stride: usize,
}

impl Candidates {
    fn these(ids: impl Iterator<Item = SessionId>, after: Option<SessionId>) -> Self {
        let mut ids: Vec<_> = ids
            .filter(|id| after.is_none_or(|after| *id > after))
            .collect();
        ids.sort_unstable();
        Self {
            ready: ids.into_iter(),
            after,
            bucket: 0,
            buckets: 0,
            stride: 1,
        }
    }

    fn of_buckets(inner: &Inner, after: Option<SessionId>) -> Self {
        Self {
            ready: Vec::new().into_iter(),
            after,
            bucket: after.map_or(0, |id| inner.keys.bucket(id)),
            buckets: inner.keys.buckets(),
            stride: 1,
        }
    }

    /// At most `count` of them; none where no more are left.
    async fn next(&mut self, inner: &Inner, count: usize) -> Result<Vec<SessionId>, StoreError> {
        while self.ready.len() == 0 && self.bucket < self.buckets {
            let end = usize::from(self.bucket) + self.stride;
            let end = u16::try_from(end).unwrap_or(self.buckets).min(self.buckets);
            let reading = (self.bucket..end).map(|bucket| inner.bucket_ids(bucket));
            let mut ids = try_join_all(reading).await?.concat();
            ids.retain(|id| self.after.is_none_or(|after| *id > after));
            self.bucket = end;
            self.stride = if ids.is_empty() {
                (self.stride * 4).min(AT_ONCE)
            } else {
                1
            };
            self.ready = ids.into_iter();
        }
        Ok(self.ready.by_ref().take(count).collect())
    }
}
