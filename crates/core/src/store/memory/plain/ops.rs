//! The operations of the contract on the state.

use std::sync::Arc;

use super::account;
use super::state::State;
use crate::change::Change;
use crate::policy::{OnFull, SubjectLimit};
use crate::record::{Activity, Record};
use crate::store::{
    Created, Cursor, Deleted, ErrorKind, Expect, Listed, Loaded, Refusal, Revoked, Scope,
    StoreError, Swept, SweptSession, Touched, Updated,
};
use crate::time::Timestamp;
use crate::token::SessionId;

/// What a limit asks for: sessions to end, or a refusal.
type Admission = Result<Vec<SessionId>, Refusal>;

impl State {
    pub(in crate::store::memory) fn create(
        &mut self,
        record: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        if self.slots.contains_key(&record.id) {
            return Ok(Created::Exists);
        }
        match self.admit(record, limit, now)? {
            Err(refusal) => Ok(Created::Refused(refusal)),
            Ok(ending) => {
                self.put(record, now)?;
                self.end(&ending)?;
                Ok(Created::Done(ending))
            }
        }
    }

    pub(in crate::store::memory) fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        Ok(self.record(id)?.map(|record| self.loaded(record)))
    }

    /// The record, if it is there and not past its deadline.
    fn live(&self, id: SessionId, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let live = self.slots.get(&id).is_some_and(|slot| now < slot.deadline);
        if live { self.record(id) } else { Ok(None) }
    }

    pub(in crate::store::memory) fn update(
        &mut self,
        id: SessionId,
        expect: Expect,
        change: &Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let Some(record) = self.live(id, now)? else {
            return Ok(Updated::Gone);
        };
        if record.security.admitted < self.index.not_before(&record.security) {
            return Ok(Updated::Gone);
        }
        if !expect.holds(&record) {
            return Ok(Updated::Conflict(self.loaded(record)));
        }
        let next = record.apply(change);
        let mut ending = Vec::new();
        if change.security.is_some() {
            let brings_subject = next.security.subject != record.security.subject
                || next.security.app != record.security.app;
            let limit = if brings_subject {
                limit
            } else {
                SubjectLimit::NONE
            };
            match self.admit(&next, limit, now)? {
                Err(refusal) => return Ok(Updated::Refused(refusal)),
                Ok(ids) => ending = ids,
            }
        }
        self.put(&next, now)?;
        self.end(&ending)?;
        Ok(Updated::Done {
            record: Arc::new(next),
            ended: ending,
        })
    }

    /// Whether `record` may begin or get its subject, and who has to go for it.
    fn admit(
        &self,
        record: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        let security = &record.security;
        if security.admitted < self.index.not_before(security) {
            return Ok(Err(Refusal::Revoked));
        }
        let (Some(max), Some(subject)) = (limit.max, &security.subject) else {
            return Ok(Ok(Vec::new()));
        };
        let mut others = Vec::new();
        for id in self.index.of(security.app.as_ref(), subject) {
            if id != record.id
                && let Some(other) = self.live(id, now)?
            {
                others.push((other.security.created_at, id));
            }
        }
        let max = max.max(1) as usize;
        if others.len() < max {
            return Ok(Ok(Vec::new()));
        }
        if limit.on_full == OnFull::Deny {
            return Ok(Err(Refusal::TooManySessions));
        }
        others.sort_unstable();
        let excess = others.len() + 1 - max;
        Ok(Ok(others
            .into_iter()
            .take(excess)
            .map(|(_, id)| id)
            .collect()))
    }

    fn end(&mut self, ids: &[SessionId]) -> Result<(), StoreError> {
        ids.iter().try_for_each(|id| self.take(*id).map(drop))
    }

    pub(in crate::store::memory) fn touch(&mut self, id: SessionId, activity: Activity, now: Timestamp) -> Touched {
        let Ok(Some(record)) = self.live(id, now) else {
            return Touched::Gone;
        };
        let activity = record.activity.later(activity);
        let deadline = activity.idle_deadline.min(record.expires_at());
        self.used_again(id, activity, deadline);
        Touched::Done
    }

    pub(in crate::store::memory) fn delete(&mut self, id: SessionId) -> Result<Deleted, StoreError> {
        Ok(self
            .take(id)?
            .map_or(Deleted::Absent, |record| Deleted::Done(Arc::new(record))))
    }

    pub(in crate::store::memory) fn sweep(&mut self, now: Timestamp, limit: usize) -> Swept {
        let due = |state: &Self| {
            state
                .deadlines
                .first()
                .filter(|(deadline, _)| *deadline <= now)
                .copied()
        };
        let mut removed = Vec::new();
        while removed.len() < limit
            && let Some((deadline, id)) = due(self)
        {
            match self.take(id) {
                Ok(record) => {
                    let subject = record.and_then(|record| record.security.subject);
                    removed.push(SweptSession {
                        id,
                        subject,
                        deadline,
                    });
                }
                // Bytes of our own that do not decode: nothing can use them, so their deadline is all that is left.
                Err(_) => {
                    self.deadlines.remove(&(deadline, id));
                }
            }
        }
        self.forget_replays(now);
        Swept {
            more: due(self).is_some(),
            removed,
        }
    }

    pub(in crate::store::memory) fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let mut page = Listed::default();
        for id in self.ids(scope) {
            if cursor.is_some_and(|Cursor(last)| id <= last) {
                continue;
            }
            let Some(record) = self.live(id, now)? else {
                continue;
            };
            if !scope.covers(&record)
                || record.security.admitted < self.index.not_before(&record.security)
            {
                continue;
            }
            if page.records.len() == limit {
                page.next = page.records.last().map(|last| Cursor(last.id));
                break;
            }
            page.records.push(Arc::new(record));
        }
        Ok(page)
    }

    /// Sessions that may lie in `scope`, ascending.
    fn ids(&self, scope: &Scope) -> Vec<SessionId> {
        match scope {
            Scope::Subject { app: None, subject } => self.index.of_all(subject),
            Scope::Subject { app, subject } => self.index.of(app.as_ref(), subject),
            Scope::Everything | Scope::App(_) => {
                let mut ids: Vec<_> = self.slots.keys().copied().collect();
                ids.sort_unstable();
                ids
            }
        }
    }

    pub(in crate::store::memory) fn revoke_all(
        &mut self,
        scope: &Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let ids = self.ids(scope);
        // A login under way may still bring a session as long-lived as any before it.
        let until = self.longest.max(now.plus(LONGEST_LIFE));
        let mut ending = Vec::new();
        let mut spared = None;
        for id in ids {
            let Some(record) = self.live(id, now)? else {
                continue;
            };
            if !scope.covers(&record)
                || record.security.admitted < self.index.not_before(&record.security)
            {
                continue;
            }
            if except == Some(id) {
                spared = Some(record)
            } else {
                ending.push(id)
            }
        }
        let epoch = self.index.revoke(scope.clone(), until, now);
        if let Some(mut record) = spared {
            record.security.admitted = epoch;
            record.security.version += 1;
            record.version += 1;
            self.put(&record, now)?;
        }
        self.end(&ending)?;
        Ok(Revoked {
            count: ending.len() as u64,
            epoch,
            ids: ending,
        })
    }

    pub(in crate::store::memory) fn first_seen(
        &mut self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if key.is_empty() || key.len() > 64 {
            return Err(StoreError::new(
                ErrorKind::Denied,
                "a replay key must have 1 to 64 bytes",
            ));
        }
        self.forget_replays(now);
        if self.replay.contains_key(key) {
            return Ok(false);
        }
        if until <= now {
            return Ok(true);
        }
        // A key that is forgotten for want of room would be a replay let through: refuse instead.
        let cost = account::replay(key);
        self.make_room(cost, 0, SessionId::from_bytes([0; 16]), now)?;
        self.used += cost;
        self.replay.insert(key.into(), until);
        self.replay_until.insert((until, key.into()));
        Ok(true)
    }

    fn forget_replays(&mut self, now: Timestamp) {
        while self
            .replay_until
            .first()
            .is_some_and(|(until, _)| *until <= now)
        {
            if let Some((_, key)) = self.replay_until.pop_first() {
                self.replay.remove(&key);
                self.used -= account::replay(&key);
            }
        }
    }
}

/// How long a session of a login under way may live at most: not-befores are kept that long.
const LONGEST_LIFE: std::time::Duration = std::time::Duration::from_secs(400 * 24 * 60 * 60);
