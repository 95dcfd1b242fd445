//! The steps of an operation that may take place in memory, on disk, or in both.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cloakroom_core::store::{
    Created, Deleted, ErrorKind, Expect, Loaded, Refusal, Store as _, StoreError, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};

use super::Inner;
use super::locks::subject_of;
use super::subjects::Admission;

/// Tries to make room before a session begins on disk.
const TRIES: usize = 4;

impl Inner {
    pub(super) fn has_spilled(&self) -> bool {
        self.spilled.load(Ordering::Acquire)
    }

    pub(super) async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        match self.memory.load(id).await? {
            None if self.has_spilled() => self.disk.load(id).await,
            found => Ok(found),
        }
    }

    /// Keeps a new record where there is room; the caller holds its locks.
    async fn keep(self: &Arc<Self>, record: Record, now: Timestamp) -> Result<Created, StoreError> {
        // What takes a quarter of all room would send everybody else down.
        let is_large = record.data.encoded().len() > self.memory.stats().reserved / 4;
        for _ in 0..if is_large { 0 } else { TRIES } {
            self.clear_expired(now).await?;
            let kept = self.memory.create(record.clone(), SubjectLimit::NONE, now);
            match kept.await {
                Err(error) if error.kind() == ErrorKind::Full => {
                    if !self.make_room(now).await? {
                        break;
                    }
                }
                answer => return answer,
            }
        }
        self.spilled.store(true, Ordering::Release);
        self.disk.create(record, SubjectLimit::NONE, now).await
    }

    /// Writes to a session in its place; one that has outgrown memory goes down first.
    async fn change(
        self: &Arc<Self>,
        id: SessionId,
        expect: Expect,
        change: Change,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let none = SubjectLimit::NONE;
        for _ in 0..TRIES {
            self.clear_expired(now).await?;
            let tried = self.memory.update(id, expect, change.clone(), none, now);
            match tried.await {
                Ok(Updated::Gone) => break,
                Err(error) if error.kind() == ErrorKind::Full => {
                    if !self.make_room(now).await? {
                        break;
                    }
                }
                answer => return answer,
            }
        }
        if self.memory.load(id).await?.is_some() {
            self.spilled.store(true, Ordering::Release);
            self.move_down(id, now).await?;
        }
        if !self.has_spilled() {
            return Ok(Updated::Gone);
        }
        let answer = self.disk.update(id, expect, change, none, now).await?;
        if matches!(answer, Updated::Done { .. }) {
            self.move_up(id, now).await?;
        }
        Ok(answer)
    }

    /// Keeps a new record in memory, where nothing else has to happen for it: done in one step, so it needs no task.
    pub(super) async fn create_here(
        &self,
        record: &Record,
        now: Timestamp,
    ) -> Result<Option<Created>, StoreError> {
        let _one = self.locks.one().await;
        let _lock = self.locks.write(record.id).await;
        if self.load(record.id).await?.is_some() {
            return Ok(Some(Created::Exists));
        }
        self.clear_expired(now).await?;
        let kept = self.memory.create(record.clone(), SubjectLimit::NONE, now);
        unless_full(kept.await)
    }

    /// Writes data to a session that is in memory and has room there.
    pub(super) async fn update_here(
        &self,
        id: SessionId,
        expect: Expect,
        change: &Change,
        now: Timestamp,
    ) -> Result<Option<Updated>, StoreError> {
        let _one = self.locks.one().await;
        let _lock = self.locks.write(id).await;
        let none = SubjectLimit::NONE;
        self.clear_expired(now).await?;
        let tried = self.memory.update(id, expect, change.clone(), none, now);
        let answer = unless_full(tried.await)?;
        Ok(answer.filter(|answer| !matches!(answer, Updated::Gone)))
    }

    /// Ends sessions that had to go for another; the caller holds no session's lock.
    async fn end(&self, ids: &[SessionId]) -> Result<(), StoreError> {
        for id in ids {
            let _lock = self.locks.write(*id).await;
            self.remove(*id).await?;
        }
        Ok(())
    }

    pub(super) async fn remove(&self, id: SessionId) -> Result<Deleted, StoreError> {
        match self.memory.delete(id).await? {
            Deleted::Absent if self.has_spilled() => self.disk.delete(id).await,
            answer => Ok(answer),
        }
    }

    pub(super) async fn create(
        self: Arc<Self>,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let (inner, id) = (&self, record.id);
        let _one = inner.locks.one().await;
        let _subject = inner.locks.subject(subject_of(&record)).await;
        let kept = {
            let _lock = inner.locks.write(id).await;
            if inner.load(id).await?.is_some() {
                return Ok(Created::Exists);
            }
            let ending = match inner.admit(id, &record.security, limit, now).await? {
                Admission::Yes(ending) => ending,
                Admission::No => return Ok(Created::Refused(Refusal::TooManySessions)),
            };
            match inner.keep(record, now).await? {
                Created::Done(_) => ending,
                other => return Ok(other),
            }
        };
        inner.end(&kept).await?;
        Ok(Created::Done(kept))
    }

    pub(super) async fn update(
        self: Arc<Self>,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let inner = &self;
        let _one = inner.locks.one().await;
        let security = change.security.clone();
        let subject = security
            .as_ref()
            .and_then(|security| security.subject.as_ref());
        let _subject = inner
            .locks
            .subject(subject.map(|subject| subject.as_str()))
            .await;
        let (answer, ending) = {
            let _lock = inner.locks.write(id).await;
            let mut ending = Vec::new();
            if let Some(security) = &security
                && let Some(loaded) = inner.load(id).await?
                && brings_subject(&loaded.record, &change)
            {
                // Whether it may be written at all is for the write to say; only then does anybody end for it.
                match inner.admit(id, security, limit, now).await? {
                    Admission::Yes(ids) => ending = ids,
                    Admission::No if expect.holds(&loaded.record) => {
                        return Ok(Updated::Refused(Refusal::TooManySessions));
                    }
                    Admission::No => {}
                }
            }
            (inner.change(id, expect, change, now).await?, ending)
        };
        Ok(match answer {
            Updated::Done { record, .. } => {
                inner.end(&ending).await?;
                Updated::Done {
                    record,
                    ended: ending,
                }
            }
            other => other,
        })
    }

    pub(super) async fn touch(
        self: Arc<Self>,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let _one = self.locks.one().await;
        let _lock = self.locks.write(id).await;
        // It may have come up since the caller looked.
        if self.memory.touch(id, activity, now).await? == Touched::Done {
            return Ok(Touched::Done);
        }
        let answer = self.disk.touch(id, activity, now).await?;
        if answer == Touched::Done {
            self.move_up(id, now).await?;
        }
        Ok(answer)
    }
}

fn unless_full<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Full => Ok(None),
        other => other.map(Some),
    }
}

/// Whether `change` makes the session one of a subject that it was not of before.
fn brings_subject(record: &Record, change: &Change) -> bool {
    let (before, after) = (&record.security, change.security.as_ref());
    after.is_some_and(|after| {
        after.subject.is_some() && (after.subject != before.subject || after.app != before.app)
    })
}
