//! The writer's part of `revoke_all`: the not-before decides at once, the rows go after it.

use std::sync::{Arc, Weak};

use cloakroom_core::record::Epoch;
use cloakroom_core::store::Scope;
use cloakroom_core::{Change, Record, SessionId, Timestamp};

use super::batch::Batch;
use super::error::Fault;
use super::sessions::pass_over;
use super::tables::{Queue, covering_keys, scope_key, seal, time_bytes};
use super::view::{Stored, View, candidates, not_before_at};

/// Sessions that are ended in the same transaction; more are denied at once and removed little by little.
const AT_ONCE: usize = 512;
/// Sessions that one step of a purge looks at.
const STEP: usize = 256;
/// A login whose proof was under way at the revocation is over by then.
const LOGIN: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// What a revocation did in its transaction.
pub(super) struct Step {
    pub(super) epoch: Epoch,
    pub(super) ended: Ended,
}

/// Which sessions a revocation ended.
pub(super) enum Ended {
    /// These; their rows are gone.
    Now(Vec<SessionId>),
    /// All that [`Before`] says were live; their rows go later.
    Later(Before),
}

/// How things stood before a revocation.
#[derive(Clone)]
pub(super) struct Before {
    key: Vec<u8>,
    not_before: Epoch,
    epoch: Epoch,
}

impl Before {
    /// Whether `record` was live then.
    pub(super) fn was_live(
        &self,
        view: &impl View,
        record: &Record,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let security = &record.security;
        if record.deadline() <= now {
            return Ok(false);
        }
        // No not-before was later than the clock of then.
        if security.admitted >= self.epoch {
            return Ok(true);
        }
        for key in covering_keys(security.subject.as_ref(), security.app.as_ref()) {
            let not_before = if key == self.key {
                self.not_before
            } else {
                not_before_at(view, &key)?.0.min(self.epoch)
            };
            if security.admitted < not_before {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Rows to remove of sessions that a revocation denies.
pub(super) struct Purge {
    scope: Scope,
    epoch: Epoch,
    after: Option<SessionId>,
    /// Whoever revoked counts first, as long as he holds this.
    counting: Weak<()>,
    /// A step is under way, or failed.
    pub(super) trying: bool,
    /// Nothing is left to remove.
    pub(super) done: bool,
}

impl Purge {
    pub(super) fn may_begin(&self) -> bool {
        self.counting.strong_count() == 0
    }

    /// Removes some; answers whether that was all.
    pub(super) fn step(&mut self, batch: &mut Batch<'_>) -> Result<bool, Fault> {
        let ids = candidates(&batch.tables, &self.scope, self.after, STEP)?;
        for id in &ids {
            match batch.get(*id) {
                Ok(Some(stored)) if self.covers(&stored.record) => batch.end(&stored)?,
                Ok(_) => {}
                Err(Fault::Own(error)) => pass_over(*id, &error),
                Err(fault) => return Err(fault),
            }
        }
        self.after = ids.last().copied().or(self.after);
        Ok(ids.len() < STEP)
    }

    fn covers(&self, record: &Record) -> bool {
        self.scope.covers(record) && record.security.admitted < self.epoch
    }
}

pub(super) fn revoke(
    batch: &mut Batch<'_>,
    scope: &Scope,
    except: Option<SessionId>,
    counting: &Arc<()>,
    now: Timestamp,
) -> Result<Step, Fault> {
    let kept = match except {
        Some(id) => batch
            .live(id, now)?
            .filter(|stored| scope.covers(&stored.record)),
        None => None,
    };
    let at_once = few(batch, scope, except, now)?;
    let key = scope_key(scope);
    let (not_before, until) = not_before_at(&batch.tables, &key)?;
    let before = Before {
        key,
        not_before,
        epoch: batch.counters.epoch,
    };
    let epoch = raise(batch, &before, until, now)?;
    if let Some(kept) = kept {
        readmit(batch, &kept, epoch)?;
    }
    let ended = match at_once {
        Some(sessions) => Ended::Now(end(batch, &sessions)?),
        None => {
            batch.effects.purges.push(Purge {
                scope: scope.clone(),
                epoch,
                after: None,
                counting: Arc::downgrade(counting),
                trying: false,
                done: false,
            });
            Ended::Later(before)
        }
    };
    Ok(Step { epoch, ended })
}

/// The sessions of `scope` and whether they are live, if it is a subject's and they are few.
fn few(
    batch: &Batch<'_>,
    scope: &Scope,
    except: Option<SessionId>,
    now: Timestamp,
) -> Result<Option<Vec<(Stored, bool)>>, Fault> {
    if matches!(scope, Scope::Everything | Scope::App(_)) {
        return Ok(None);
    }
    let ids = candidates(&batch.tables, scope, None, AT_ONCE + 1)?;
    if ids.len() > AT_ONCE {
        return Ok(None);
    }
    let mut sessions = Vec::with_capacity(ids.len());
    for id in ids.into_iter().filter(|id| Some(*id) != except) {
        match batch.get(id) {
            Ok(Some(stored)) if scope.covers(&stored.record) => {
                let live = batch.is_live(&stored.record, now)?;
                sessions.push((stored, live));
            }
            Ok(_) => {}
            // The not-before denies it all the same.
            Err(Fault::Own(error)) => pass_over(id, &error),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Some(sessions))
}

/// Sets the not-before of a scope to the raised revocation clock.
fn raise(
    batch: &mut Batch<'_>,
    before: &Before,
    until: Timestamp,
    now: Timestamp,
) -> Result<Epoch, Fault> {
    let epoch = before.epoch.next(0);
    let key = &before.key;
    if before.not_before != Epoch::ZERO {
        batch.dequeue(Queue::NotBefores, until, key)?;
    }
    // Kept until nobody who was admitted before can live.
    let until = batch.counters.latest_cap.max(now).plus(LOGIN);
    batch.enqueue(Queue::NotBefores, until, key)?;
    let row = seal(key, &[&epoch.0.to_be_bytes(), &time_bytes(until)]);
    batch.tables.not_before.insert(&key[..], &row[..])?;
    batch.counters.epoch = epoch;
    batch.set_counter("epoch", epoch.0)?;
    Ok(epoch)
}

/// The one that stays is admitted anew: a write to its security block, so what was computed from the old one conflicts.
fn readmit(batch: &mut Batch<'_>, kept: &Stored, epoch: Epoch) -> Result<(), Fault> {
    let mut security = kept.record.security.clone();
    security.version += 1;
    security.admitted = epoch;
    let change = Change {
        security: Some(security),
        ..Change::default()
    };
    batch.put(Arc::new(kept.record.apply(&change)), Some(kept))
}

fn end(batch: &mut Batch<'_>, sessions: &[(Stored, bool)]) -> Result<Vec<SessionId>, Fault> {
    let mut ended = Vec::with_capacity(sessions.len());
    for (stored, live) in sessions {
        batch.end(stored)?;
        if *live {
            ended.push(stored.record.id);
        }
    }
    Ok(ended)
}
