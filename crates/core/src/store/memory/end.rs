//! `delete`, `sweep` and `revoke_all`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::account::{Needs, Short};
use super::packed::{Head, pack};
use super::slot::{Content, Slot};
use super::state::{State, Tried, over};
use crate::record::Epoch;
use crate::store::{Deleted, Revoked, Scope, StoreError, Swept};
use crate::subject::Subject;
use crate::time::Timestamp;
use crate::token::SessionId;

/// How long a session of a login under way may live at most: not-befores are kept that long.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Slots that a sweep looks at for each session it may clear.
const STEPS: usize = 8;

impl State {
    pub(super) fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        match self.end(id, |slot| Some(slot.record())) {
            None => Ok(Deleted::Absent),
            Some(record) => Ok(Deleted::Done(Arc::new(record?))),
        }
    }

    pub(super) fn sweep(&self, now: Timestamp, limit: usize) -> Swept {
        self.turn.fetch_add(1, Relaxed);
        let mut steps = limit.saturating_mul(STEPS).saturating_add(64);
        let mut removed = Vec::new();
        while removed.len() < limit
            && let Some(swept) = self.clear_one(now, &mut steps)
        {
            removed.push(swept);
        }
        self.forget_replays(now, limit);
        self.not_before.write().forget(&self.account, now);
        Swept {
            more: self.cells.iter().any(|cell| cell.may_be_due(now)),
            removed,
        }
    }

    pub(super) fn revoke_all(
        &self,
        scope: &Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let bytes = self.not_before.read().needs(scope);
        // Without room it is carried out all the same; see [`super::not_before`].
        let short = Short {
            needs: Needs::of_bytes(bytes),
            ..Short::default()
        };
        while !self.account.fits(short) && self.make_room(short, except, now).is_ok() {}
        let (epoch, ids) = match scope {
            Scope::Subject { subject, .. } => self.revoke_subject(scope, subject, except, now),
            Scope::Everything | Scope::App(_) => self.revoke_many(scope, except, now),
        };
        Ok(Revoked {
            count: ids.len() as u64,
            epoch,
            ids,
        })
    }

    fn revoke_subject(
        &self,
        scope: &Scope,
        subject: &Subject,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> (Epoch, Vec<SessionId>) {
        let owner = self.owner(Some(subject));
        let mut held = self.index(owner, 0);
        let places = held
            .of(owner)
            .map_or_else(Vec::new, |index| index.of(owner));
        let mut ids = Vec::new();
        for place in places {
            let shard = self.cell_of(place).lock();
            ids.extend(shard.at(place).map(|at| shard.slot(at).id()));
        }
        // The spared one last: what the others leave is room for it.
        ids.sort_unstable_by_key(|id| Some(*id) == except);
        let epoch = self.raise(scope, now);
        ids.retain(|id| {
            let spared = Some(*id) == except && self.readmit(*id, scope, epoch, now);
            let wanted = |slot: &Slot<'_>| revokes(scope, epoch, now, slot).then_some(());
            // Under the lock of its subject a session does not change hands, so one try is enough.
            !spared && matches!(self.take(*id, &mut held, wanted), Tried::Done(Some(_)))
        });
        (epoch, ids)
    }

    fn revoke_many(
        &self,
        scope: &Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> (Epoch, Vec<SessionId>) {
        let epoch = self.raise(scope, now);
        let wanted = |slot: &Slot<'_>| revokes(scope, epoch, now, slot).then_some(());
        let mut ids = Vec::new();
        self.scan(|slot| ids.extend(wanted(&slot).map(|()| slot.id())));
        ids.retain(|id| {
            let spared = Some(*id) == except && self.readmit(*id, scope, epoch, now);
            !spared && self.end(*id, wanted).is_some()
        });
        (epoch, ids)
    }

    /// Raises the revocation clock for `scope`.
    fn raise(&self, scope: &Scope, now: Timestamp) -> Epoch {
        let longest = Timestamp::from_millis(self.longest.load(Relaxed));
        let until = longest.max(now.plus(LONGEST_LIFE));
        self.not_before.write().revoke(&self.account, scope, until)
    }

    /// Admits the excepted session anew. False where there is nothing to admit, or no room for what it needs: a revocation
    /// is always carried out, so that session ends with the others.
    fn readmit(&self, id: SessionId, scope: &Scope, epoch: Epoch, now: Timestamp) -> bool {
        let mut shard = self.cell(id).lock();
        let found = shard.find(id);
        let Some(at) = found.filter(|at| revokes(scope, epoch, now, &shard.slot(*at))) else {
            return false;
        };
        let Ok(mut record) = shard.slot(at).record() else {
            return false;
        };
        record.version = record.version.saturating_add(1);
        record.security.version = record.security.version.saturating_add(1);
        record.security.admitted = epoch;
        // It covered the block as it was.
        record.security_mac = None;
        let content = Content {
            id,
            anonymous: record.security.subject.is_none(),
            stamp: self.stamp(),
            packed: &pack(&record),
        };
        shard.replace(&self.account, at, &content).is_ok()
    }
}

/// Whether a revocation of `scope` at `epoch` ends the session.
fn revokes(scope: &Scope, epoch: Epoch, now: Timestamp, slot: &Slot<'_>) -> bool {
    let admitted_before = |head: Head<'_>| head.is_in(scope) && head.admitted < epoch;
    !over(slot, now) && slot.head().is_ok_and(admitted_before)
}
