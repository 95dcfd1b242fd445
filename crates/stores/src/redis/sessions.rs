//! Beginning, changing, touching and ending a session.

use std::sync::Arc;
use std::time::Duration;

use ::redis::Value;
use cloakroom_core::store::{Created, Deleted, Expect, Refusal, StoreError, Touched, Updated};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit};
use futures_util::future::join;

use super::admission::Place;
use super::error::{damaged, denied, unavailable};
use super::inner::{Inner, bytes};
use super::keys::{Key, Owner};
use super::reassert::Said;
use super::route::Care;
use super::row::{Row, activity_bytes};
use super::script::{CREATE, TOUCH, UPDATE};

/// Times an update is computed again on a newer record.
const TRIES: usize = 128;
/// Bytes that a row may have: what one command carries in good time.
const ROW_MAX: usize = 8 * 1024 * 1024;

/// Not-befores are kept for a day longer.
const CAP_MAX: Duration = Duration::from_secs(399 * 24 * 60 * 60);

/// How one try of an update went.
enum Tried {
    Done(Row, Vec<SessionId>),
    /// Another row is there.
    Newer(Row),
    Refused(Refusal),
    Gone,
}

impl Inner {
    pub(super) async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
    ) -> Result<Created, StoreError> {
        let row = Row::seal(Arc::new(record), self.token());
        self.check(&row)?;
        let record = &row.record;
        let place = if record.security.subject.is_some() {
            match self.admit(record, row.token, limit).await? {
                Ok(place) => Some(place),
                Err(refusal) => return Ok(Created::Refused(refusal)),
            }
        } else {
            None
        };
        let written = self.write_new(&row).await;
        let refused = match &written {
            Ok(Value::Int(0)) => None,
            Ok(Value::Int(1)) => Some(Created::Exists),
            Ok(Value::Int(2)) => Some(Created::Refused(Refusal::Revoked)),
            Ok(_) => return Err(damaged("keeping a session")),
            Err(_) => None,
        };
        if let Some(refused) = refused {
            if let Some(place) = &place {
                self.give_back(place).await;
            }
            return Ok(refused);
        }
        if let Err(error) = written {
            if let Some(place) = &place {
                self.spare(place).await;
            }
            return Err(error);
        }
        self.remember(&row);
        let Some(place) = place else {
            return Ok(Created::Done(Vec::new()));
        };
        if self.confirm(&place, record.security.version).await? {
            Ok(Created::Done(place.ending))
        } else {
            Ok(Created::Refused(Refusal::Revoked))
        }
    }

    async fn write_new(&self, row: &Row) -> Result<Value, StoreError> {
        let id = row.record.id;
        let bucket = self.keys.bucket(id);
        let owner = Owner::of(&row.record);
        let mut keys = vec![self.keys.record(id), self.keys.due(bucket)];
        keys.extend(self.keys.bucket_not_befores(bucket, owner.app.as_ref()));
        let care = if owner.subject.is_some() {
            Care::Kept
        } else {
            Care::Repeat
        };
        self.script(self.slot(id), &CREATE, &keys, care, |cmd| {
            cmd.arg(id.as_bytes()).arg(&row.bytes[..]);
        })
        .await
    }

    pub(super) async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: &Change,
        limit: SubjectLimit,
    ) -> Result<Updated, StoreError> {
        let known = self.recent.get(id).map(|known| known.row);
        let mut base = known.filter(|row| expect.holds(&row.record));
        let mut turn = None;
        for _ in 0..TRIES {
            let row = match base.take() {
                Some(row) => row,
                None => match self.find(id).await? {
                    Some(found) if !found.is_live() => return Ok(Updated::Gone),
                    Some(found) if !expect.holds(&found.row.record) => {
                        return Ok(Updated::Conflict(found.into_loaded()));
                    }
                    Some(found) => found.row,
                    None => return Ok(Updated::Gone),
                },
            };
            match self.try_update(&row, change, limit).await? {
                Tried::Done(row, ended) => {
                    let record = row.record;
                    return Ok(Updated::Done { record, ended });
                }
                Tried::Newer(newer) => base = Some(newer).filter(|row| expect.holds(&row.record)),
                Tried::Refused(refusal) => return Ok(Updated::Refused(refusal)),
                Tried::Gone => return Ok(Updated::Gone),
            }
            if turn.is_none() {
                // Others of this process write it too: one after the other from here.
                turn = Some(self.stripe(id).await);
            }
        }
        Err(unavailable("a session is changed too often"))
    }

    async fn try_update(
        &self,
        base: &Row,
        change: &Change,
        limit: SubjectLimit,
    ) -> Result<Tried, StoreError> {
        let next = Row::seal(Arc::new(base.record.apply(change)), self.token());
        self.check(&next)?;
        let (old, new) = (Owner::of(&base.record), Owner::of(&next.record));
        let moves = new.subject.is_some() && new != old;
        let mut place = None;
        if moves {
            let limit = if new.subject == old.subject {
                SubjectLimit::NONE
            } else {
                limit
            };
            // What is there must be allowed to change before somebody else has to end for it.
            let id = base.record.id;
            match self.find(id).await? {
                Some(found) if found.row.token == base.token => {
                    if !found.is_live() {
                        return Ok(Tried::Gone);
                    }
                }
                Some(found) if found.is_live() => return Ok(Tried::Newer(found.row)),
                _ => return Ok(Tried::Gone),
            }
            match self.admit(&next.record, next.token, limit).await? {
                Ok(taken) => place = Some(taken),
                Err(refusal) => return Ok(Tried::Refused(refusal)),
            }
        }
        let tried = self.write_next(base, &next, &old, &new, change).await;
        match tried {
            Ok(Tried::Done(row, _)) => self.after_update(row, &old, place).await,
            other => {
                match (&other, &place) {
                    (Ok(_), Some(place)) => self.give_back(place).await,
                    (Err(_), Some(place)) => self.spare(place).await,
                    (_, None) => {}
                }
                other
            }
        }
    }

    /// The compare-and-set itself, and the not-befores that lie elsewhere.
    async fn write_next(
        &self,
        base: &Row,
        next: &Row,
        old: &Owner,
        new: &Owner,
        change: &Change,
    ) -> Result<Tried, StoreError> {
        let grants = change.security.is_some();
        let id = base.record.id;
        let covering = self.covering(id, old);
        let elsewhere = covering.there;
        let mut floor = None;
        if grants && elsewhere.is_some() {
            // What is refused must change nothing, so this one is asked before.
            let not_before = self.latest(elsewhere.as_ref()).await?;
            if base.record.security.admitted < not_before {
                return Ok(Tried::Gone);
            }
            if new == old && next.record.security.admitted < not_before {
                return Ok(Tried::Refused(Refusal::Revoked));
            }
            floor = Some(not_before);
        }
        let bucket = self.keys.bucket(id);
        let mut keys = vec![self.keys.record(id), self.keys.due(bucket)];
        let count = covering.here.len();
        keys.extend(covering.here);
        if grants {
            keys.extend(self.covering(id, new).here);
        }
        let writing = self.compare_and_set(base, next, &keys, count, change);
        let (written, not_before) = match floor {
            Some(floor) => (writing.await, Ok(floor)),
            None => join(writing, self.latest(elsewhere.as_ref())).await,
        };
        let written = written?;
        if base.record.security.admitted < not_before? {
            // It was revoked: whatever was written is in a session that does not open.
            return Ok(Tried::Gone);
        }
        Ok(written)
    }

    async fn compare_and_set(
        &self,
        base: &Row,
        next: &Row,
        keys: &[Key],
        count: usize,
        change: &Change,
    ) -> Result<Tried, StoreError> {
        let id = base.record.id;
        let grants = change.security.is_some();
        let as_is = grants && change.activity.is_some();
        let care = if grants { Care::Kept } else { Care::Repeat };
        let answer = self
            .script(self.slot(id), &UPDATE, keys, care, |cmd| {
                cmd.arg(id.as_bytes())
                    .arg(&base.token[..])
                    .arg(&next.bytes[..])
                    .arg(i32::from(grants))
                    .arg(i32::from(as_is))
                    .arg(count);
            })
            .await?;
        match answer {
            Value::BulkString(times) => {
                let row = next.clone().with_times(&times)?;
                self.remember(&row);
                if grants {
                    self.log.note(Said::Written(row.clone()));
                }
                Ok(Tried::Done(row, Vec::new()))
            }
            Value::Int(2) => Ok(Tried::Refused(Refusal::Revoked)),
            Value::Int(3) => {
                self.recent.forget(id);
                Ok(Tried::Gone)
            }
            Value::Array(mut words) => {
                let there = bytes(words.pop().unwrap_or_default())?;
                let row = Row::open(id, there, None)?;
                self.remember(&row);
                Ok(Tried::Newer(row))
            }
            _ => Err(damaged("changing a session")),
        }
    }

    /// What is left to do in the indexes once the session is written.
    async fn after_update(
        &self,
        row: Row,
        old: &Owner,
        place: Option<Place>,
    ) -> Result<Tried, StoreError> {
        let version = row.record.security.version;
        let mut ended = Vec::new();
        if let Some(place) = place {
            if !self.confirm(&place, version).await? {
                return Ok(Tried::Refused(Refusal::Revoked));
            }
            ended = place.ending;
        }
        if let Some(subject) = &old.subject
            && row.record.security.subject.as_ref() != Some(subject)
        {
            let before = version.saturating_sub(1).to_string();
            self.forget(subject, &[row.record.id], "v", before.as_bytes())
                .await;
        }
        Ok(Tried::Done(row, ended))
    }

    pub(super) async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
    ) -> Result<Touched, StoreError> {
        // Whoever touches has loaded it; where he has not, the record must be whole before its times are written.
        let known = match self.recent.get(id) {
            Some(known) => known.row,
            None => match self.find(id).await? {
                Some(found) => found.row,
                None => return Ok(Touched::Gone),
            },
        };
        let covering = self.covering(id, &Owner::of(&known.record));
        let mut keys = vec![self.keys.record(id)];
        keys.extend(covering.here);
        let (idle, seen) = activity_bytes(id, activity);
        let touching = self.script(self.slot(id), &TOUCH, &keys, Care::Repeat, |cmd| {
            cmd.arg(&idle[..]).arg(&seen[..]);
        });
        let (touched, not_before) = join(touching, self.latest(covering.there.as_ref())).await;
        if touched? != Value::Int(1) {
            self.recent.forget(id);
            return Ok(Touched::Gone);
        }
        if known.record.security.admitted < not_before? {
            // So it was when we knew it; the record decides.
            let found = self.find(id).await?;
            if found.is_none_or(|found| !found.is_live()) {
                return Ok(Touched::Gone);
            }
        }
        Ok(Touched::Done)
    }

    pub(super) async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let Some(bytes) = self.end(id, None, None, None).await? else {
            self.recent.forget(id);
            return Ok(Deleted::Absent);
        };
        let row = Row::open(id, bytes, None)?;
        if let Some(subject) = &row.record.security.subject {
            let version = row.record.security.version.to_string();
            self.forget(subject, &[id], "v", version.as_bytes()).await;
        }
        Ok(Deleted::Done(row.record))
    }

    /// Limits, before the write.
    fn check(&self, row: &Row) -> Result<(), StoreError> {
        if row.bytes.len() > ROW_MAX {
            return Err(denied("a session is larger than 8 MiB"));
        }
        let now = self.now_at(self.slot(row.record.id))?;
        if row.record.security.hard_cap > now.plus(CAP_MAX) {
            return Err(denied(
                "a hard cap lies further ahead than not-befores are kept",
            ));
        }
        Ok(())
    }
}
