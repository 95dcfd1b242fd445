//! `delete`, `sweep` and `revoke_all`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::account::{Short, block};
use super::packed::{Head, pack};
use super::slab::Slot;
use super::state::{State, Tried, evictable, over};
use crate::record::Epoch;
use crate::store::{Deleted, Revoked, Scope, StoreError, Swept, SweptSession};
use crate::subject::Subject;
use crate::time::Timestamp;
use crate::token::SessionId;

/// How long a session of a login under way may live at most: not-befores are kept that long.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Slots that a sweep looks at for each session it may clear.
const STEPS: usize = 8;

impl State {
    pub(super) fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        match self.end(id, |_| true) {
            None => Ok(Deleted::Absent),
            Some(slot) => Ok(Deleted::Done(Arc::new(slot.record()?))),
        }
    }

    pub(super) fn sweep(&self, now: Timestamp, limit: usize) -> Swept {
        self.turn.fetch_add(1, Relaxed);
        let mut steps = limit.saturating_mul(STEPS).saturating_add(64);
        let mut removed = Vec::new();
        while removed.len() < limit
            && let Some(slot) = self.clear_one(now, &mut steps)
        {
            let record = slot.record().ok();
            removed.push(SweptSession {
                id: slot.id,
                subject: record.and_then(|record| record.security.subject),
                deadline: slot.deadline(),
            });
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
        let _ = self.make_room(Short { bytes, sessions: 0 }, except, now);
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
        let mut ids: Vec<_> = match held.of(owner) {
            Some(index) => index.of(owner).collect(),
            None => Vec::new(),
        };
        // The spared one last: what the others leave is room for it.
        ids.sort_unstable_by_key(|id| Some(*id) == except);
        let epoch = self.raise(scope, now);
        ids.retain(|id| {
            let spared = Some(*id) == except && self.readmit(*id, scope, epoch, now);
            let wanted = |slot: &Slot| revokes(scope, epoch, now, slot);
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
        let wanted = |slot: &Slot| revokes(scope, epoch, now, slot);
        let mut ended = Vec::new();
        for cell in &self.cells {
            let found: Vec<_> = {
                let shard = cell.lock();
                let slots = shard.slots().filter(|slot| wanted(slot));
                slots.map(|slot| slot.id).collect()
            };
            ended.extend(found.into_iter().filter(|id| {
                let spared = Some(*id) == except && self.readmit(*id, scope, epoch, now);
                !spared && self.end(*id, wanted).is_some()
            }));
        }
        (epoch, ended)
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
        let Some(at) = found.filter(|at| revokes(scope, epoch, now, shard.slot(*at))) else {
            return false;
        };
        if shard.slot_mut(at).readmit(epoch).unwrap_or(false) {
            return true;
        }
        let Ok(mut record) = shard.slot(at).record() else {
            return false;
        };
        record.version = record.version.saturating_add(1);
        record.security.version = record.security.version.saturating_add(1);
        record.security.admitted = epoch;
        // It covered the block as it was.
        record.security_mac = None;
        let (bytes, slot) = (pack(&record), shard.slot(at));
        let (old, owner) = (block(slot.bytes.len()), slot.owner);
        if !self.account.charge(block(bytes.len()).saturating_sub(old)) {
            return false;
        }
        if owner == 0 {
            self.account.anonymous_went(evictable(&slot.bytes));
            self.account.anonymous_came(evictable(&bytes));
        }
        shard.replace(&self.account, at, bytes, owner);
        true
    }
}

/// Whether a revocation of `scope` at `epoch` ends the session.
fn revokes(scope: &Scope, epoch: Epoch, now: Timestamp, slot: &Slot) -> bool {
    let admitted_before = |head: Head<'_>| head.is_in(scope) && head.admitted < epoch;
    !over(slot, now) && slot.head().is_ok_and(admitted_before)
}
