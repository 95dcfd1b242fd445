//! Takes the steps and compares.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Created, Deleted, Expect, Refusal, Store as _, SubjectIndex as _, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit};

use super::step::{APPS, SLOTS, SUBJECTS, Step, limits, scopes};
use crate::fixture::Fixture;
use crate::kit::{self, list_all};
use crate::reference::Reference;
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

/// Runs `steps` on a new fixture; the first difference from the model fails.
pub(crate) async fn sequence<F: Fixture>(steps: Vec<Step>) -> Checked {
    let fixture = F::open().await;
    let mut run = Run {
        store: fixture.store(),
        fixture,
        model: Reference::default(),
        slots: [None; SLOTS],
        seen: BTreeSet::new(),
        turn: 0,
    };
    for step in steps {
        // Creations at different times, so that the oldest is always one.
        run.fixture.advance(Duration::from_secs(1)).await;
        run.turn += 1;
        run.take(&step).await.map_err(|stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("{step:?}: {why}")),
            skipped => skipped,
        })?;
        run.compare().await?;
    }
    Ok(())
}

struct Run<F: Fixture> {
    store: Arc<F::Store>,
    fixture: F,
    model: Reference,
    slots: [Option<SessionId>; SLOTS],
    seen: BTreeSet<SessionId>,
    turn: u64,
}

impl<F: Fixture> Run<F> {
    async fn take(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Create {
                slot,
                who,
                app,
                stale,
                limit,
            } => self.create(slot, who, app, stale, limits(limit)).await,
            Step::Login {
                slot,
                who,
                stale,
                limit,
            } => {
                let record = self.known(slot);
                let admitted = self.stamp(stale).await?;
                let now = self.fixture.now();
                let change = kit::login(&record, SUBJECTS[who], admitted, now);
                let expect = Expect::Security(record.security.version);
                self.update(record.id, expect, change, limits(limit)).await
            }
            Step::Edit {
                slot,
                name,
                by_version,
                stale,
            } => {
                let record = self.known(slot);
                let off = u64::from(stale);
                let expect = if by_version {
                    Expect::Version(record.version - off)
                } else {
                    Expect::Security(record.security.version - off)
                };
                let change = samples::set(&format!("n{name}"), self.turn);
                self.update(record.id, expect, change, SubjectLimit::NONE)
                    .await
            }
            Step::Touch { slot, back } => self.touch(slot, back).await,
            Step::Delete { slot } => self.delete(slot).await,
            Step::Revoke { scope, except } => self.revoke(scope, except).await,
            Step::Advance { minutes } => {
                let by = Duration::from_secs(u64::from(minutes) * 60);
                self.fixture.advance(by).await;
                Ok(())
            }
            Step::Sweep { limit } => self.sweep(limit).await,
        }
    }

    /// The live record of a slot, or one that was never kept.
    fn known(&self, slot: usize) -> Record {
        let now = self.fixture.now();
        let live = self.slots[slot].and_then(|id| self.model.live(id, now));
        live.cloned().unwrap_or_else(|| {
            let mut record = Sample::new(now).record();
            record.id = self.slots[slot].unwrap_or(record.id);
            record
        })
    }

    async fn stamp(&self, stale: bool) -> Result<Epoch, Stop> {
        if stale {
            Ok(Epoch::ZERO)
        } else {
            kit::epoch(&*self.store).await
        }
    }

    async fn create(
        &mut self,
        slot: usize,
        who: Option<usize>,
        app: usize,
        stale: bool,
        limit: SubjectLimit,
    ) -> Checked {
        let now = self.fixture.now();
        let admitted = self.stamp(stale).await?;
        let mut sample = Sample::new(now).of(SUBJECTS[who.unwrap_or(0)], admitted);
        if let Some(app) = APPS[app] {
            sample = sample.app(app);
        }
        let mut record = sample.record();
        if who.is_none() {
            record.security.subject = None;
        }
        let taken = self.slots[slot].filter(|id| self.model.live(*id, now).is_some());
        record.id = taken.unwrap_or(record.id);
        let answer = self.store.create(record.clone(), limit, now).await?;
        let late = self.model.is_late(&record);
        match (taken, self.model.room(&record, limit, now)) {
            // Where two answers are right, either is.
            (Some(_), _) => answers!(answer, Created::Exists | Created::Refused(_) => (), "taken"),
            (None, Ok(_)) if late => {
                answers!(answer, Created::Refused(Refusal::Revoked) => (), "a late login");
            }
            (None, Err(_)) => answers!(answer, Created::Refused(_) => (), "too many sessions"),
            (None, Ok(ending)) => {
                let ended = answers!(answer, Created::Done(ended) => ended, "create");
                ensure_eq!(kit::sorted(ended), kit::sorted(ending.clone()), "who ended");
                ending.into_iter().for_each(|id| self.model.remove(id));
                self.slots[slot] = Some(record.id);
                self.seen.insert(record.id);
                self.model.keep(record);
            }
        }
        Ok(())
    }

    async fn update(
        &mut self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
    ) -> Checked {
        let now = self.fixture.now();
        let answer = self
            .store
            .update(id, expect, change.clone(), limit, now)
            .await?;
        let Some(record) = self.model.live(id, now) else {
            answers!(answer, Updated::Gone => (), "update of an ended session");
            return Ok(());
        };
        let next = record.apply(&change);
        let brings = next.security.subject != record.security.subject;
        let late = change.security.is_some() && self.model.is_late(&next);
        let room = if brings {
            self.model.room(&next, limit, now)
        } else {
            Ok(Vec::new())
        };
        if !expect.holds(record) {
            let told = answers!(answer, Updated::Conflict(told) => told, "a stale update");
            ensure_eq!(*told.record, *record, "the record in a conflict");
            return Ok(());
        }
        let ending = match room {
            Ok(ending) if !late => ending,
            _ => {
                answers!(answer, Updated::Refused(_) => (), "a login not allowed");
                return Ok(());
            }
        };
        let (written, ended) =
            answers!(answer, Updated::Done { record, ended } => (record, ended), "update");
        ensure_eq!(*written, next, "the record as written");
        ensure_eq!(kit::sorted(ended), kit::sorted(ending.clone()), "who ended");
        ending.into_iter().for_each(|id| self.model.remove(id));
        self.model.keep(next);
        Ok(())
    }

    async fn touch(&mut self, slot: usize, back: u32) -> Checked {
        let now = self.fixture.now();
        let mut record = self.known(slot);
        let last_seen = now.minus(Duration::from_secs(u64::from(back)));
        let activity = Activity {
            last_seen,
            idle_deadline: last_seen.plus(record.security.idle_timeout),
        };
        let answer = self.store.touch(record.id, activity, now).await?;
        if self.model.live(record.id, now).is_none() {
            ensure_eq!(answer, Touched::Gone, "touch of an ended session");
            return Ok(());
        }
        ensure_eq!(answer, Touched::Done, "touch");
        record.activity = record.activity.later(activity);
        self.model.keep(record);
        Ok(self.store.flush().await?)
    }

    async fn delete(&mut self, slot: usize) -> Checked {
        let Some(id) = self.slots[slot] else {
            return Ok(());
        };
        let answer = self.store.delete(id).await?;
        if let Some(record) = self.model.live(id, self.fixture.now()) {
            let last = answers!(answer, Deleted::Done(last) => last, "delete");
            ensure_eq!(*last, *record, "the last record");
        }
        self.model.remove(id);
        Ok(())
    }

    async fn revoke(&mut self, scope: usize, except: Option<usize>) -> Checked {
        let now = self.fixture.now();
        let scope = scopes()[scope].clone();
        let except = except.and_then(|slot| self.slots[slot]);
        let mut ending = self.model.listed(&scope, now);
        let kept = except.filter(|id| ending.contains(id));
        ending.retain(|id| Some(*id) != kept);
        let revoked = self.store.revoke_all(scope.clone(), except, now).await?;
        ensure_eq!(
            revoked.count,
            ending.len() as u64,
            "sessions that a revocation ended"
        );
        let before = kept.and_then(|id| self.model.live(id, now).cloned());
        self.model.revoke(scope, revoked.epoch);
        if let Some(mut wanted) = before {
            let found = kit::load(&*self.store, wanted.id).await?.record;
            // Whether the new admission counts as a write is the store's; versions never go back.
            let counts = found.version >= wanted.version
                && found.security.version >= wanted.security.version;
            ensure!(counts, "a version went back by a revocation");
            wanted.version = found.version;
            wanted.security.version = found.security.version;
            wanted.security.admitted = revoked.epoch;
            self.model.keep(wanted);
        }
        Ok(())
    }

    async fn sweep(&mut self, limit: usize) -> Checked {
        let now = self.fixture.now();
        let expired = self.model.expired(now);
        let swept = self.store.sweep(now, limit).await?;
        ensure!(
            swept.removed.len() <= limit,
            "a sweep cleared more than its limit"
        );
        for session in &swept.removed {
            let live = self.model.live(session.id, now).is_some();
            ensure!(!live, "a sweep cleared the live session {}", session.id);
        }
        let left = expired.len().saturating_sub(swept.removed.len());
        ensure!(
            swept.more || left == 0,
            "a sweep left {left} and said that it was done"
        );
        swept
            .removed
            .iter()
            .for_each(|session| self.model.remove(session.id));
        Ok(())
    }

    async fn compare(&self) -> Checked {
        let now = self.fixture.now();
        for id in &self.seen {
            match self.model.live(*id, now) {
                Some(record) => {
                    let found = kit::load(&*self.store, *id).await?.record;
                    ensure_eq!(*found, *record, "a live record");
                    ensure!(
                        kit::opens(&*self.store, record, now).await?,
                        "{id} does not open"
                    );
                }
                None => {
                    if let Some(loaded) = self.store.load(*id).await? {
                        let opens = kit::opens(&*self.store, &loaded.record, now).await?;
                        ensure!(!opens, "{id} opens, though it ended");
                    }
                }
            }
        }
        for scope in scopes() {
            let found = list_all(&*self.store, &scope, 3, now).await?;
            ensure_eq!(
                found,
                self.model.listed(&scope, now),
                "the list of {scope:?}"
            );
        }
        Ok(())
    }
}
