//! What the toy store keeps.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Entry, ErrorKind, Kind, Refusal, Scope};
use cloakroom_core::{Record, SessionId, StoreError, Subject, SubjectLimit, Timestamp};

use super::Flaw;

/// Everything, in one value, so that a crash is an assignment.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) sessions: BTreeMap<SessionId, Bytes>,
    /// The subject that the index has for a session; only broken stores let it differ from the record's.
    pub(super) index: BTreeMap<SessionId, Option<Subject>>,
    pub(super) not_before: Vec<(Scope, Epoch)>,
    pub(super) epoch: Epoch,
    pub(super) keys: BTreeMap<Vec<u8>, Timestamp>,
    pub(super) entries: BTreeMap<(Kind, String), (u64, Entry)>,
    pub(super) written: u64,
    pub(super) revisions: BTreeMap<Kind, u64>,
    pub(super) flaw: Option<Flaw>,
}

impl State {
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub(super) fn record(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let Some(bytes) = self.sessions.get(&id) else {
            return Ok(None);
        };
        match Record::decode(id, bytes) {
            Err(_) if self.has(Flaw::DamageIsNone) => Ok(None),
            decoded => Ok(Some(decoded?)),
        }
    }

    pub(super) fn keep(&mut self, record: &Record) {
        self.sessions.insert(record.id, record.encode());
        self.index
            .insert(record.id, record.security.subject.clone());
    }

    pub(super) fn remove(&mut self, id: SessionId) {
        self.sessions.remove(&id);
        if !self.has(Flaw::DeleteKeepsIndex) {
            self.index.remove(&id);
        }
    }

    pub(super) fn not_before(&self, record: &Record) -> Epoch {
        let covering = self
            .not_before
            .iter()
            .filter(|(scope, _)| self.covers(scope, record));
        covering.map(|(_, epoch)| *epoch).max().unwrap_or_default()
    }

    pub(super) fn covers(&self, scope: &Scope, record: &Record) -> bool {
        match scope {
            Scope::Subject { subject, .. } if self.has(Flaw::ScopeTooWide) => {
                record.security.subject.as_ref() == Some(subject)
            }
            Scope::Subject { app: None, .. } if self.has(Flaw::ScopeTooNarrow) => {
                record.security.app.is_none() && scope.covers(record)
            }
            _ => scope.covers(record),
        }
    }

    pub(super) fn is_live(&self, record: &Record, now: Timestamp) -> bool {
        let deadline = if self.has(Flaw::ForgetsHardCap) {
            record.activity.idle_deadline
        } else if self.has(Flaw::EndsEarly) {
            record.deadline().minus(std::time::Duration::from_secs(60))
        } else if self.has(Flaw::ForgetsDeadlines) {
            Timestamp::NEVER
        } else {
            record.deadline()
        };
        let revoked = record.security.admitted < self.not_before(record);
        now < deadline && (!revoked || self.has(Flaw::RevokedCanWrite))
    }

    /// The live record under `id`.
    pub(super) fn live(&self, id: SessionId, now: Timestamp) -> Result<Option<Record>, StoreError> {
        Ok(self.record(id)?.filter(|record| self.is_live(record, now)))
    }

    /// Every record that can be read.
    pub(super) fn readable(&self) -> impl Iterator<Item = Record> {
        self.sessions
            .keys()
            .filter_map(|id| self.record(*id).ok().flatten())
    }

    pub(super) fn late(&self, record: &Record) -> bool {
        record.security.admitted < self.not_before(record) && !self.has(Flaw::AdmitsLate)
    }

    /// Which sessions must end so that `record` may belong to its subject.
    pub(super) fn room(
        &self,
        record: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Refusal> {
        let (Some(max), Some(subject)) = (limit.max, &record.security.subject) else {
            return Ok(Vec::new());
        };
        let all = self.has(Flaw::LimitCountsAll);
        let mut others: Vec<Record> = self
            .readable()
            .filter(|other| other.id != record.id || self.has(Flaw::CountsItself))
            .filter(|other| other.security.subject.as_ref() == Some(subject))
            .filter(|other| all || other.security.app == record.security.app)
            .filter(|other| all || self.is_live(other, now))
            .collect();
        let excess = (others.len() + 1).saturating_sub(max as usize);
        if excess == 0 {
            return Ok(Vec::new());
        }
        if limit.on_full == OnFull::Deny && !self.has(Flaw::NeverDenies) {
            return Err(Refusal::TooManySessions);
        }
        others.sort_by_key(|other| other.security.created_at);
        if self.has(Flaw::EndsNewest) {
            others.reverse();
        }
        let excess = if self.has(Flaw::EndsOne) { 1 } else { excess };
        Ok(others.iter().take(excess).map(|other| other.id).collect())
    }
}

pub(super) fn unavailable() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "a toy out of reach")
}

/// The state behind `mutex`, also after another test thread died with it.
pub(super) fn locked(mutex: &Mutex<State>) -> MutexGuard<'_, State> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
