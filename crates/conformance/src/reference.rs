//! A small model of the contract: what a store must answer to one operation after another.

use std::collections::BTreeMap;

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Refusal, Scope};
use cloakroom_core::{Record, SessionId, SubjectLimit, Timestamp};

/// What must be there.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    records: BTreeMap<SessionId, Record>,
    not_before: Vec<(Scope, Epoch)>,
}

impl Reference {
    /// The record under `id`, if it is alive.
    pub(crate) fn live(&self, id: SessionId, now: Timestamp) -> Option<&Record> {
        self.records
            .get(&id)
            .filter(|record| now < record.deadline() && !self.is_late(record))
    }

    /// The live sessions of `scope`, ascending.
    pub(crate) fn listed(&self, scope: &Scope, now: Timestamp) -> Vec<SessionId> {
        let ids = self.records.keys().copied();
        ids.filter(|id| {
            self.live(*id, now)
                .is_some_and(|record| scope.covers(record))
        })
        .collect()
    }

    /// Everything whose deadline is past, except what was revoked, which a store may have cleared before.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<SessionId> {
        let expired = self
            .records
            .values()
            .filter(|record| record.deadline() <= now);
        let expired = expired.filter(|record| !self.is_late(record));
        expired.map(|record| record.id).collect()
    }

    /// Whether the proof of `record` began before a revocation that covers it.
    pub(crate) fn is_late(&self, record: &Record) -> bool {
        self.not_before
            .iter()
            .any(|(scope, epoch)| scope.covers(record) && record.security.admitted < *epoch)
    }

    /// Which sessions end so that `next` may belong to its subject.
    pub(crate) fn room(
        &self,
        next: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Refusal> {
        let (Some(max), Some(subject)) = (limit.max, next.security.subject.clone()) else {
            return Ok(Vec::new());
        };
        let mut others: Vec<&Record> = self
            .records
            .keys()
            .filter_map(|id| self.live(*id, now))
            .filter(|other| other.id != next.id)
            .filter(|other| other.security.subject.as_ref() == Some(&subject))
            .filter(|other| other.security.app == next.security.app)
            .collect();
        let excess = (others.len() + 1).saturating_sub(max as usize);
        if excess > 0 && limit.on_full == OnFull::Deny {
            return Err(Refusal::TooManySessions);
        }
        others.sort_by_key(|other| other.security.created_at);
        Ok(others.iter().take(excess).map(|other| other.id).collect())
    }

    /// Keeps `record`.
    pub(crate) fn keep(&mut self, record: Record) {
        self.records.insert(record.id, record);
    }

    /// Ends a session.
    pub(crate) fn remove(&mut self, id: SessionId) {
        self.records.remove(&id);
    }

    /// Everything of `scope` admitted before `epoch` ends.
    pub(crate) fn revoke(&mut self, scope: Scope, epoch: Epoch) {
        self.not_before.push((scope, epoch));
    }
}
