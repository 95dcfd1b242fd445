//! Listing: an index or the queues of deadlines name candidates, the records decide.

use std::collections::HashSet;

use ::redis::Value;
use cloakroom_core::store::{Cursor, Listed, Scope, StoreError};
use cloakroom_core::{App, SessionId, Timestamp};
use futures_util::future::try_join_all;

use super::admission::{Entry, session};
use super::inner::{Inner, array};

/// Buckets, and sessions, that are looked at together.
pub(super) const AT_ONCE: usize = 64;

impl Inner {
    pub(super) async fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Listed, StoreError> {
        let after = cursor.map(|Cursor(id)| id);
        let Scope::Subject { app, subject } = scope else {
            let candidates = Candidates::of_buckets(self, after);
            let (listed, _) = self.page(scope, candidates, limit).await?;
            return Ok(listed);
        };
        let app = app.as_ref().map(App::as_str);
        let mut entries = self.entries(subject).await?;
        entries.retain(|entry| app.is_none_or(|app| app == entry.app));
        let alive = entries.iter().filter(|entry| !entry.is_ending);
        let candidates = Candidates::these(alive.map(|entry| entry.id), after);
        let (listed, stale) = self.page(scope, candidates, limit).await?;
        let is_stale = |entry: &Entry| entry.is_ending || stale.contains(&entry.id);
        entries.retain(is_stale);
        self.heal(subject, entries).await;
        Ok(listed)
    }

    /// A page of live sessions, and the candidates that do not lie in `scope` at all.
    async fn page(
        &self,
        scope: &Scope,
        mut candidates: Candidates,
        limit: usize,
    ) -> Result<(Listed, HashSet<SessionId>), StoreError> {
        let mut listed = Listed::default();
        let mut stale = HashSet::new();
        loop {
            let ids = candidates.next(self, AT_ONCE.min(limit + 1)).await?;
            if ids.is_empty() {
                return Ok((listed, stale));
            }
            for (id, found) in self.find_all(&ids).await? {
                let found = found.filter(|found| scope.covers(&found.row.record));
                let Some(found) = found else {
                    stale.insert(id);
                    continue;
                };
                if !found.is_live() {
                    continue;
                }
                if listed.records.len() == limit {
                    listed.next = listed.records.last().map(|last| Cursor(last.id));
                    return Ok((listed, stale));
                }
                listed.records.push(found.row.record);
            }
        }
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
pub(super) struct Candidates {
    ready: std::vec::IntoIter<SessionId>,
    after: Option<SessionId>,
    /// The bucket to read next, and how many together: more while they are empty.
    bucket: u16,
    buckets: u16,
    stride: usize,
}

impl Candidates {
    pub(super) fn these(ids: impl Iterator<Item = SessionId>, after: Option<SessionId>) -> Self {
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

    pub(super) fn of_buckets(inner: &Inner, after: Option<SessionId>) -> Self {
        Self {
            ready: Vec::new().into_iter(),
            after,
            bucket: after.map_or(0, |id| inner.keys.bucket(id)),
            buckets: inner.keys.buckets(),
            stride: 1,
        }
    }

    /// At most `count` of them; none where no more are left.
    pub(super) async fn next(
        &mut self,
        inner: &Inner,
        count: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
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
