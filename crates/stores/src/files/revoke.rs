//! `revoke_all`: the not-before decides; the sessions are then ended one by one, as far as time allows.

use std::time::{Duration, Instant};

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Revoked, Scope, StoreError};
use cloakroom_core::{Change, SessionId, Timestamp};

use super::Files;
use super::paths::session;
use super::sessions::{marker, queued};

/// How long a revocation removes what it has denied before it is answered; the rest is swept at its deadline.
const TIDYING: Duration = Duration::from_secs(20);

impl Files {
    pub(super) fn revoke_all(
        &self,
        scope: &Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let epoch = self.draw_epoch()?;
        // First, so that there is no moment at which it does not open.
        if let Some(id) = except {
            self.readmit(scope, id, epoch, now)?;
        }
        self.set_not_before(scope, epoch, now)?;
        let mut ids = Vec::new();
        let begun = Instant::now();
        let walked = self.walk(scope, None, |id| {
            match self.end_denied(scope, id, epoch, now) {
                Ok(true) => ids.push(id),
                Ok(false) => {}
                // The not-before denies it all the same.
                Err(error) => {
                    tracing::error!(session = %id, %error, "passed over a session that cannot be read");
                }
            }
            Ok(begun.elapsed() < TIDYING)
        });
        if let Err(error) = walked {
            tracing::warn!(%error, "a revocation stands, but did not reach every session to remove it");
        }
        Ok(Revoked {
            count: ids.len() as u64,
            epoch,
            ids,
        })
    }

    /// Ends a session that a revocation denies; whether it was live until then.
    fn end_denied(
        &self,
        scope: &Scope,
        id: SessionId,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        while let Some(stored) = self.stored(id)? {
            let record = &stored.record;
            if !scope.covers(record) || record.security.admitted >= epoch {
                return Ok(false);
            }
            if self.end(&stored)? {
                return Ok(now < record.deadline());
            }
        }
        Ok(false)
    }

    /// Admits a live session of `scope` anew: a write to its security block, so what was computed from the old one
    /// conflicts.
    fn readmit(
        &self,
        scope: &Scope,
        id: SessionId,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let path = session(id);
        loop {
            let shown = self.clock()?;
            let Some((old, _)) = self.loaded(shown, id)? else {
                return Ok(());
            };
            if !scope.covers(&old.record) || !self.is_live(shown, &old.record, now)? {
                return Ok(());
            }
            let mut security = old.record.security.clone();
            security.version += 1;
            security.admitted = security.admitted.max(epoch);
            let change = Change {
                security: Some(security),
                ..Change::default()
            };
            let record = old.record.apply(&change);
            let to = marker(&record, queued(&old.object.marker));
            if self.io.replace(&path, &old.object, to, &record.encode())? {
                return Ok(());
            }
        }
    }
}
