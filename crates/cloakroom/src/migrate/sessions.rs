//! One pass over all sessions.

use std::sync::Arc;

use cloakroom_core::store::{Created, Cursor, DynStore, Loaded, Scope};
use cloakroom_core::{Record, SessionId, StoreError, SubjectLimit, Timestamp};
use tokio::task::JoinSet;

use super::journal::{Journal, Note};
use super::judge::{self, Step};
use super::run::{Progress, Stage};
use super::{MigrateError, Side, epochs};
use crate::service::Clock;

/// Sessions of one page.
const PAGE: usize = 512;
/// Operations at a time: enough that a store which groups its writes has something to group.
const AT_ONCE: usize = 64;

/// What became of sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Live sessions in the old store.
    pub found: u64,
    /// Brought to the new store.
    pub copied: u64,
    /// Brought again, because they had changed since.
    pub updated: u64,
    /// Were there already, the same or newer.
    pub kept: u64,
    /// Had ended in the new store, where they stay ended.
    pub ended_there: u64,
    /// Had ended in the old store, and were ended in the new one.
    pub ended_here: u64,
    /// Are in the new store otherwise than they were given to it: it is broken.
    pub differ: u64,
    /// Not taken by the new store, because it had revoked them.
    pub refused: u64,
}

impl Counts {
    /// How much was written.
    pub(super) const fn changes(&self) -> u64 {
        self.copied + self.updated + self.ended_here
    }

    /// `self` and a later pass: what was done is added up, what was found is as it was last.
    pub(super) const fn add(&mut self, later: Self) {
        let (copied, updated) = (self.copied + later.copied, self.updated + later.updated);
        let ended_here = self.ended_here + later.ended_here;
        *self = Self {
            copied,
            updated,
            ended_here,
            // The first pass found what there was before it.
            kept: if self.found == 0 {
                later.kept
            } else {
                self.kept
            },
            ..later
        };
    }
}

/// One pass.
pub(super) struct Pass<'a> {
    from: &'a Side,
    to: &'a Side,
    journal: &'a mut Journal,
    clock: &'a Arc<dyn Clock>,
    stage: Stage,
    counts: Counts,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        from: &'a Side,
        to: &'a Side,
        journal: &'a mut Journal,
        clock: &'a Arc<dyn Clock>,
        stage: Stage,
    ) -> Self {
        let counts = Counts::default();
        Self {
            from,
            to,
            journal,
            clock,
            stage,
            counts,
        }
    }

    pub(super) async fn run(
        mut self,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Counts, MigrateError> {
        let mut cursor = None;
        loop {
            let now = self.clock.now();
            let page = self
                .from
                .store
                .list(Scope::Everything, cursor, PAGE, now)
                .await;
            let page = page.map_err(MigrateError::From)?;
            // What the page shows was admitted by now.
            epochs::raise(&self.from.store, &self.to.store, now).await?;
            self.page(page.records, now).await?;
            progress(self.progress(page.next));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        self.ended_here().await?;
        Ok(self.counts)
    }

    fn progress(&self, next: Option<Cursor>) -> Progress {
        let done = self.counts.found;
        let along = next.map_or(1.0, |Cursor(id)| {
            let [a, b, c, d, ..] = *id.as_bytes();
            (f64::from(u32::from_be_bytes([a, b, c, d])) + 1.0) / 4_294_967_296.0
        });
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let expected = (done as f64 / along).round() as u64;
        Progress {
            stage: self.stage,
            done,
            expected: expected.max(done),
        }
    }

    async fn page(
        &mut self,
        records: Vec<Arc<Record>>,
        now: Timestamp,
    ) -> Result<(), MigrateError> {
        self.counts.found += records.len() as u64;
        let ids = records.iter().map(|record| record.id).collect();
        let there = self.load(ids).await?;
        let mut steps = Vec::with_capacity(records.len());
        for (record, there) in records.into_iter().zip(there) {
            let note = self.journal.get(record.id);
            let step = judge::alive(&record, there.as_ref(), note, now);
            if step == Step::Replace {
                // Forgotten first: a run that dies in between must not take it for one that ended.
                self.journal.set(record.id, None, now);
            }
            steps.push((record, step, there));
        }
        self.journal.keep(now).await?;
        let mut working = JoinSet::new();
        for (record, step, there) in steps {
            if working.len() >= AT_ONCE {
                self.note(working.join_next().await, now)?;
            }
            let to = self.to.store.clone();
            working.spawn(async move {
                let done = carry_out(&to, &record, step, now).await;
                (record, step, there, done)
            });
        }
        while let Some(done) = working.join_next().await {
            self.note(Some(done), now)?;
        }
        self.journal.keep(now).await
    }

    /// What the new store has under these ids, in their order.
    async fn load(&self, ids: Vec<SessionId>) -> Result<Vec<Option<Loaded>>, MigrateError> {
        let (mut loading, mut found) = (JoinSet::new(), vec![None; ids.len()]);
        let mut keep = |done: Option<Result<(usize, Answer), tokio::task::JoinError>>| {
            if let Some(done) = done {
                let (at, answer) = done.map_err(|_| MigrateError::CutOff)?;
                found[at] = answer.map_err(MigrateError::To)?;
            }
            Ok(())
        };
        for (at, id) in ids.into_iter().enumerate() {
            if loading.len() >= AT_ONCE {
                keep(loading.join_next().await)?;
            }
            let to = self.to.store.clone();
            loading.spawn(async move { (at, to.load(id).await) });
        }
        while let Some(done) = loading.join_next().await {
            keep(Some(done))?;
        }
        Ok(found)
    }

    fn note(
        &mut self,
        done: Option<Result<Done, tokio::task::JoinError>>,
        now: Timestamp,
    ) -> Result<(), MigrateError> {
        let Some(done) = done else { return Ok(()) };
        let (record, step, there, done) = done.map_err(|_| MigrateError::CutOff)?;
        let done = done.map_err(MigrateError::To)?;
        let before = self.journal.get(record.id);
        let copy = Note {
            version: record.version,
            seen: record.activity.last_seen,
        };
        let note = match (step, done) {
            (Step::Create | Step::Replace, Outcome::Refused) => {
                self.counts.refused += 1;
                before
            }
            // Another one brought it meanwhile; the next pass looks at it.
            (Step::Create | Step::Replace, Outcome::Exists) => {
                self.counts.copied += 1;
                before
            }
            (Step::Create, Outcome::Done) => {
                self.counts.copied += 1;
                Some(copy)
            }
            (Step::Replace, Outcome::Done) => {
                self.counts.updated += 1;
                Some(copy)
            }
            (Step::Touch, _) => {
                self.counts.kept += 1;
                Some(copy)
            }
            (Step::Same, _) => {
                self.counts.kept += 1;
                let seen = there.map_or(Timestamp::EPOCH, |there| there.record.activity.last_seen);
                before.or(Some(Note { seen, ..copy }))
            }
            (Step::Newer, _) => {
                self.counts.kept += 1;
                before.or(Some(Note::NOT_OURS))
            }
            (Step::Differs, _) => {
                self.counts.differ += 1;
                before
            }
            (Step::EndedThere, _) => {
                self.counts.ended_there += 1;
                before
            }
        };
        let until = record.security.hard_cap.max(now);
        self.journal.set(record.id, note, until);
        Ok(())
    }

    /// Ends the copies of what has ended in the old store since.
    async fn ended_here(&mut self) -> Result<(), MigrateError> {
        let mut after = None;
        loop {
            let notes = self.journal.after(after, PAGE);
            let Some((last, _)) = notes.last() else {
                return Ok(());
            };
            after = Some(*last);
            let now = self.clock.now();
            let there = self.load(notes.iter().map(|(id, _)| *id).collect()).await?;
            for ((id, note), there) in notes.into_iter().zip(there) {
                let Some(there) = there else { continue };
                let here = self.from.store.load(id).await.map_err(MigrateError::From)?;
                if judge::must_end(here.as_ref(), &there, note, now) {
                    self.to.store.delete(id).await.map_err(MigrateError::To)?;
                    self.counts.ended_here += 1;
                }
            }
        }
    }
}

type Answer = Result<Option<Loaded>, StoreError>;
type Done = (
    Arc<Record>,
    Step,
    Option<Loaded>,
    Result<Outcome, StoreError>,
);

enum Outcome {
    Done,
    Exists,
    Refused,
}

async fn carry_out(
    to: &DynStore,
    record: &Arc<Record>,
    step: Step,
    now: Timestamp,
) -> Result<Outcome, StoreError> {
    match step {
        Step::Same | Step::Newer | Step::Differs | Step::EndedThere => return Ok(Outcome::Done),
        Step::Touch => {
            to.touch(record.id, record.activity, now).await?;
            return Ok(Outcome::Done);
        }
        Step::Replace => drop(to.delete(record.id).await?),
        Step::Create => {}
    }
    // Without a limit: all of these sessions are there already, and none may end for another.
    let created = to
        .create(Record::clone(record), SubjectLimit::NONE, now)
        .await?;
    Ok(match created {
        Created::Done(_) => Outcome::Done,
        Created::Exists => Outcome::Exists,
        Created::Refused(_) => Outcome::Refused,
    })
}
