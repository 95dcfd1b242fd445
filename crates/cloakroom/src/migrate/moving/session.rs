//! Moving one session, and ending one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::lifecycle::{Ended, live_by_id};
use cloakroom_core::store::{
    Created, Deleted, ErrorKind, Expect, Expected, Kind, Loaded, Put, Scope, Updated,
};
use cloakroom_core::{
    Change, Edits, JsonText, Record, SessionId, StoreError, SubjectLimit, Timestamp,
};
use tokio::task::JoinSet;

use super::{Moving, grave};

/// The name of the mark: no application can have it, since control characters are refused in names.
const MARK: &str = "\u{0}moving";
/// How long a grave stays: longer than anybody takes to move a session.
const GRAVE: Duration = Duration::from_secs(60 * 60);
/// Looks at one session. Each that is not the last found another mover at work.
const TRIES: usize = 64;
/// Sessions of one page.
const PAGE: usize = 256;
/// Sessions that move at a time.
const AT_ONCE: usize = 32;

pub(super) fn is_marked(record: &Record) -> bool {
    record.data.get(MARK).is_some()
}

fn edits(edit: impl FnOnce(&mut Edits)) -> Edits {
    let mut edits = Edits::new();
    edit(&mut edits);
    edits
}

/// Where a session is, after it was brought to the new store if it was to be had.
pub(super) enum Place {
    /// In the new store.
    New(Loaded),
    /// In the old one, where it is over.
    Over(Loaded),
    Nowhere,
}

impl Moving {
    /// Brings the session to the new store, if it lives in the old one.
    pub(super) async fn settle(&self, id: SessionId, now: Timestamp) -> Result<Place, StoreError> {
        for _ in 0..TRIES {
            let there = self.new.load(id).await?;
            let there = match there {
                Some(there) if !is_marked(&there.record) => return Ok(Place::New(there)),
                there => there,
            };
            if let Some(here) = self.old.load(id).await? {
                match live_by_id(&here, now) {
                    Ok(()) | Err(Ended::Frozen) => self.carry(&here.record, now).await?,
                    // It opens nothing; the sweep of its store clears it.
                    Err(_) => return Ok(Place::Over(here)),
                }
                continue;
            }
            // Between the two looks it may have arrived.
            match self.new.load(id).await? {
                Some(there) if !is_marked(&there.record) => return Ok(Place::New(there)),
                Some(_) if there.is_some() => {
                    // Marked, and then not in the old store, and still marked: it has ended.
                    self.new.delete(id).await?;
                    return Ok(Place::Nowhere);
                }
                Some(_) => {}
                None => return Ok(Place::Nowhere),
            }
        }
        Err(StoreError::new(ErrorKind::Unavailable, "moving a session"))
    }

    /// As [`Moving::settle`], and clears what a mover that died before the last step left in the old store.
    async fn bring(&self, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
        if let Place::New(_) = self.settle(id, now).await? {
            self.old.delete(id).await?;
        }
        Ok(())
    }

    /// The four steps.
    async fn carry(&self, here: &Arc<Record>, now: Timestamp) -> Result<(), StoreError> {
        let id = here.id;
        let mark = JsonText::of(&true).map_err(|error| {
            StoreError::new(ErrorKind::Corrupt, "marking a session").because(error)
        })?;
        let marked = Record {
            // Taking the mark away counts as a write.
            version: here.version.saturating_sub(1),
            data: here.data.apply(&edits(|edits| edits.set(MARK, mark))),
            ..Record::clone(here)
        };
        match self.new.create(marked, SubjectLimit::NONE, now).await? {
            Created::Done(_) | Created::Exists => {}
            // Revoked since it was looked at.
            Created::Refused(_) => {
                self.old.delete(id).await?;
                return Ok(());
            }
        }
        let buried = self.registry.get(Kind::Setting, &grave(id), now).await?;
        if buried.is_some() {
            self.old.delete(id).await?;
            if self
                .new
                .load(id)
                .await?
                .is_some_and(|there| is_marked(&there.record))
            {
                self.new.delete(id).await?;
            }
            return Ok(());
        }
        self.unmark(id, now).await?;
        // Only what has arrived: an error above leaves the old one.
        let arrived = self.new.load(id).await?;
        if arrived.is_none_or(|arrived| !is_marked(&arrived.record)) {
            self.old.delete(id).await?;
        }
        Ok(())
    }

    /// Takes the mark away, if it is there.
    async fn unmark(&self, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
        let mut version = match self.new.load(id).await? {
            Some(there) if is_marked(&there.record) => there.record.version,
            _ => return Ok(()),
        };
        loop {
            let change = Change::of_data(edits(|edits| edits.remove(MARK)));
            let expect = Expect::Version(version);
            let unmarked = self.new.update(id, expect, change, SubjectLimit::NONE, now);
            match unmarked.await? {
                Updated::Conflict(newer) if is_marked(&newer.record) => {
                    version = newer.record.version
                }
                // Another mover did it, or it has ended.
                _ => return Ok(()),
            }
        }
    }

    /// Notes the grave, then ends the session in both stores.
    pub(super) async fn end(&self, id: SessionId, now: Timestamp) -> Result<Deleted, StoreError> {
        let there = self.new.load(id).await?;
        let has_arrived = there.is_some_and(|there| !is_marked(&there.record));
        let seen = self.old.load(id).await?;
        let (absent, expires) = (Expected::Absent, Some(now.plus(GRAVE)));
        let (name, value) = (grave(id), Some(Bytes::from_static(b"{}")));
        let put = self
            .registry
            .put(Kind::Setting, &name, absent, value, expires, now);
        let is_first = matches!(put.await?, Put::Done(_));
        self.old.delete(id).await?;
        let there = self.new.delete(id).await?;
        Ok(match (there, seen) {
            (Deleted::Done(record), _) if !is_marked(&record) => Deleted::Done(record),
            // A mover that found the grave may have deleted it before us; that we noted the grave counts.
            (_, Some(seen)) if is_first && !has_arrived => Deleted::Done(seen.record),
            _ => Deleted::Absent,
        })
    }

    /// Brings all live sessions of `scope`; answers how many there were, and tells so after each page.
    pub(super) async fn gather(
        &self,
        scope: Scope,
        told: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, StoreError> {
        let (mut cursor, mut moved) = (None, 0);
        loop {
            let now = self.clock.now();
            let page = self.old.list(scope.clone(), cursor, PAGE, now).await?;
            let mut moving = JoinSet::new();
            for record in page.records {
                if moving.len() >= AT_ONCE {
                    done(moving.join_next().await)?;
                }
                let this = self.clone();
                moved += 1;
                moving.spawn(async move { this.bring(record.id, now).await });
            }
            while let Some(one) = moving.join_next().await {
                done(Some(one))?;
            }
            told(moved);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(moved),
            }
        }
    }
}

type Moved = Result<Result<(), StoreError>, tokio::task::JoinError>;

fn done(moved: Option<Moved>) -> Result<(), StoreError> {
    let cut_off = || StoreError::new(ErrorKind::Unavailable, "moving a session was cut off");
    moved.map_or(Ok(()), |moved| moved.unwrap_or_else(|_| Err(cut_off())))
}

/// Pass after pass, until one finds nothing.
pub(super) async fn move_all(
    moving: &Moving,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let before = all;
        let mut told = |moved| told(before + moved);
        let moved = moving.gather(Scope::Everything, &mut told).await?;
        all += moved;
        if moved == 0 {
            return Ok(all);
        }
    }
}
