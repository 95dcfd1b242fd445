//! The toy as an index and a replay guard.

use std::sync::Arc;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Cursor, Listed, ReplayGuard, Revoked, Scope, SubjectIndex};
use cloakroom_core::{Record, SessionId, StoreError, Timestamp};

use super::state::State;
use super::{Flaw, Toy};

impl SubjectIndex for Toy {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.state()?.epoch)
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let state = self.state()?;
        let overlaps = state.has(Flaw::PagesOverlap);
        let mut found: Vec<Record> = listed(&state, &scope)
            .into_iter()
            .filter(|record| state.is_live(record, now))
            .filter(|record| {
                cursor.is_none_or(|Cursor(last)| record.id > last || overlaps && record.id == last)
            })
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| Cursor(last.id));
        let records = found.into_iter().map(Arc::new).collect();
        Ok(Listed { records, next })
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let mut state = self.state()?;
        if !state.has(Flaw::EpochStands) {
            state.epoch = state.epoch.next(0);
        }
        let epoch = state.epoch;
        let mut kept = except
            .and_then(|id| state.record(id).ok().flatten())
            .filter(|record| state.covers(&scope, record));
        if !state.has(Flaw::ExceptionRevives) {
            kept = kept.filter(|record| state.is_live(record, now));
        }
        let mut revoked = Revoked {
            epoch,
            ..Revoked::default()
        };
        for record in state.readable().collect::<Vec<_>>() {
            let excepted = kept.as_ref().is_some_and(|kept| kept.id == record.id);
            if state.covers(&scope, &record) && state.is_live(&record, now) && !excepted {
                revoked.count += 1;
                revoked.ids.push(record.id);
            }
        }
        if state.has(Flaw::RevokesByIndex) {
            revoked.ids.iter().for_each(|id| state.remove(*id));
        } else {
            state.not_before.push((scope, epoch));
        }
        if let Some(mut kept) = kept.filter(|_| !state.has(Flaw::ForgetsException)) {
            kept.version += 1;
            kept.security.version += 1;
            kept.security.admitted = epoch;
            state.keep(&kept);
        }
        if !state.has(Flaw::CrashForgetsRevocations) {
            self.commit(&state);
        }
        Ok(revoked)
    }
}

/// The records that the index has for `scope`, ascending.
fn listed(state: &State, scope: &Scope) -> Vec<Record> {
    let by_record = state.readable().filter(|record| match scope {
        Scope::Subject { app, subject } => {
            state.index.get(&record.id).and_then(Option::as_ref) == Some(subject)
                && (app.is_none() || record.security.app == *app)
        }
        _ => scope.covers(record),
    });
    let mut found: Vec<Record> = by_record.collect();
    if state.has(Flaw::DeleteKeepsIndex) {
        // What the index still has but the records have not, shown from thin air.
        for (id, subject) in &state.index {
            if !state.sessions.contains_key(id) {
                let now = Timestamp::from_secs(1_800_000_000);
                let mut ghost = cloakroom_conformance::samples::Sample::new(now).record();
                ghost.id = *id;
                ghost.security.subject = subject.clone();
                if scope.covers(&ghost) {
                    found.push(ghost);
                }
            }
        }
        found.sort_by_key(|record| record.id);
    }
    found
}

impl ReplayGuard for Toy {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = if self.state()?.has(Flaw::CutsKeys) {
            key[..key.len().min(32)].to_vec()
        } else {
            key.to_vec()
        };
        let is_new = |state: &State| {
            let seen = state.keys.get(&key);
            seen.is_none_or(|until| *until <= now && !state.has(Flaw::SeenForEver))
        };
        let early = is_new(&*self.state()?);
        self.pause_if(Flaw::ReplayRace).await;
        let mut state = self.state()?;
        let first = if state.has(Flaw::ReplayRace) {
            early
        } else {
            is_new(&state)
        };
        if first {
            state.keys.insert(key.clone(), until);
            if !state.has(Flaw::CrashForgetsKeys) {
                self.commit(&state);
            }
        }
        Ok(first)
    }
}
