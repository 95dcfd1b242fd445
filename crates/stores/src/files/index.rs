//! Listings: an empty file for each session of a subject, made before the session and removed after it; the record
//! decides. Everything else is found by walking the sessions, whose paths ascend with their ids.

use cloakroom_core::store::{Cursor, Listed, Scope, StoreError};
use cloakroom_core::{SessionId, Subject, Timestamp};

use super::Files;
use super::error::During as _;
use super::io::absent;
use super::paths::{id_of, subject};

impl Files {
    fn ids_in(&self, folder: &str) -> Result<Vec<SessionId>, StoreError> {
        let names = match self.io.names(folder) {
            Err(error) if absent(&error) => Vec::new(),
            names => names.during("listing sessions")?,
        };
        let mut ids: Vec<_> = names.iter().filter_map(|name| id_of(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// All sessions that may be of a subject, ascending.
    pub(super) fn ids_of(&self, of: &Subject) -> Result<Vec<SessionId>, StoreError> {
        self.ids_in(&subject(of))
    }

    /// Calls `see` with each session that may be of `scope`, ascending behind `after`, until it says no.
    pub(super) fn walk(
        &self,
        scope: &Scope,
        after: Option<SessionId>,
        mut see: impl FnMut(SessionId) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut walk_one = |ids: Vec<SessionId>| {
            let ids = ids
                .into_iter()
                .filter(|id| after.is_none_or(|after| after < *id));
            for id in ids {
                if !see(id)? {
                    return Ok(false);
                }
            }
            Ok::<_, StoreError>(true)
        };
        if let Scope::Subject { subject, .. } = scope {
            return walk_one(self.ids_of(subject)?).map(drop);
        }
        let mut parts = self.io.names("s").during("listing sessions")?;
        parts.sort_unstable();
        let from = after.map(super::paths::session);
        for part in parts {
            let folder = format!("s/{part}");
            let before = from
                .as_ref()
                .is_some_and(|from| folder[..] < from[..folder.len().min(from.len())]);
            if !before && !walk_one(self.ids_in(&folder)?)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let shown = self.clock()?;
        if let Scope::Subject { app, subject } = scope {
            self.finish_gate(subject, app.as_ref())?;
        }
        let mut listed = Listed::default();
        self.walk(scope, cursor.map(|Cursor(id)| id), |id| {
            let Some((stored, loaded)) = self.loaded(shown, id)? else {
                return Ok(true);
            };
            let record = stored.record;
            let live = now < record.deadline() && record.security.admitted >= loaded.not_before;
            if !live || !scope.covers(&record) {
                return Ok(true);
            }
            if listed.records.len() == limit {
                listed.next = listed.records.last().map(|last| Cursor(last.id));
                return Ok(false);
            }
            listed.records.push(record);
            Ok(true)
        })?;
        Ok(listed)
    }
}
