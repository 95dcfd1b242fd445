//! Sessions: how a record lies in an object, and the verbs on one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use cloakroom_core::record::Record;
use cloakroom_core::store::{
    Created, Deleted, Expect, Loaded, Refusal, StoreError, Touched, Updated,
};
use cloakroom_core::{Activity, Change, SessionId, SubjectLimit, Timestamp};

use super::Files;
use super::epochs::Shown;
use super::error::{During as _, corrupt, denied};
use super::format::{Content, Marker, content_name};
use super::gate::Admission;
use super::intent::Step;
use super::object::{Look, Object, nonce};
use super::paths::{index_entry, queued_session, session};

/// Bytes of data that a session holds at most.
const DATA_MAX: usize = 8 * 1024 * 1024;

/// A session as found.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) record: Arc<Record>,
    pub(super) object: Object,
}

/// The marker of a session: what may change without a new content is its activity and its place in the queue.
pub(super) fn marker(record: &Record, queued: Timestamp) -> Marker {
    Marker {
        ended: false,
        version: record.version,
        nonce: nonce(),
        fields: [
            record.activity.last_seen.as_millis(),
            record.activity.idle_deadline.as_millis(),
            record.expires_at().as_millis(),
            queued.as_millis(),
        ],
    }
}

pub(super) fn activity(marker: &Marker) -> Activity {
    Activity {
        last_seen: Timestamp::from_millis(marker.fields[0]),
        idle_deadline: Timestamp::from_millis(marker.fields[1]),
    }
}

pub(super) fn deadline(marker: &Marker) -> Timestamp {
    let expires = Timestamp::from_millis(marker.fields[2]);
    activity(marker).idle_deadline.min(expires)
}

pub(super) fn queued(marker: &Marker) -> Timestamp {
    Timestamp::from_millis(marker.fields[3])
}

/// The end of what `from` says, with a name that is only ours.
pub(super) fn ended(from: &Marker) -> Marker {
    let mut to = Marker {
        ended: true,
        ..*from
    };
    to.fields[3] = nonce().cast_signed();
    to
}

/// Reads the record of a marker from its content.
pub(super) fn decode(
    id: SessionId,
    marker: &Marker,
    content: &Content,
) -> Result<Record, StoreError> {
    let mut record = Record::decode(id, &Bytes::copy_from_slice(&content.body))?;
    if record.version != marker.version {
        return Err(corrupt("reading a session whose state has another version"));
    }
    record.activity = activity(marker);
    Ok(record)
}

fn check_size(record: &Record) -> Result<(), StoreError> {
    if record.data.encoded().len() <= DATA_MAX {
        return Ok(());
    }
    Err(denied(
        "the files store holds at most 8 MiB of data in a session",
    ))
}

impl Files {
    pub(super) fn stored(&self, id: SessionId) -> Result<Option<Stored>, StoreError> {
        let Some(object) = self.io.get(&session(id))? else {
            return Ok(None);
        };
        let record = Arc::new(decode(id, &object.marker, &object.content)?);
        Ok(Some(Stored { record, object }))
    }

    /// The session and what is needed to judge it. `shown` was read before.
    pub(super) fn loaded(
        &self,
        shown: Shown,
        id: SessionId,
    ) -> Result<Option<(Stored, Loaded)>, StoreError> {
        let Some(mut stored) = self.stored(id)? else {
            return Ok(None);
        };
        let not_before = self.not_before(shown, &stored.record.security)?;
        // A revocation that excepts a session admits it anew before it denies: what was read between is old.
        if stored.record.security.admitted < not_before {
            match self.stored(id)? {
                Some(again) => stored = again,
                None => return Ok(None),
            }
        }
        let loaded = Loaded {
            record: Arc::clone(&stored.record),
            not_before,
            store_now: None,
        };
        Ok(Some((stored, loaded)))
    }

    pub(super) fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let shown = self.clock()?;
        Ok(self.loaded(shown, id)?.map(|(_, loaded)| loaded))
    }

    fn live(&self, id: SessionId, now: Timestamp) -> Result<Option<(Stored, Loaded)>, StoreError> {
        let shown = self.clock()?;
        Ok(self.loaded(shown, id)?.filter(|(stored, loaded)| {
            now < stored.record.deadline() && stored.record.security.admitted >= loaded.not_before
        }))
    }

    pub(super) fn create(
        &self,
        record: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        check_size(record)?;
        let path = session(record.id);
        loop {
            let shown = self.clock()?;
            match self.io.look_or_clear(&path)? {
                Look::Absent => {}
                Look::There { marker, .. } if marker.ended => drop(self.io.remove_for_good(&path)),
                Look::There { .. } => match self.stored(record.id)? {
                    Some(old) if now < old.record.deadline() => return Ok(Created::Exists),
                    Some(old) => drop(self.end(&old)?),
                    None => continue,
                },
            }
            if record.security.admitted < self.not_before(shown, &record.security)? {
                return Ok(Created::Refused(Refusal::Revoked));
            }
            self.note_cap(shown, record.security.hard_cap)?;
            let queued = record.deadline();
            self.queue_session(queued, record.id)?;
            self.add_to_index(record)?;
            let new = self
                .io
                .prepare(&path, marker(record, queued), Some(&record.encode()))?;
            if limit.max.is_some() && record.security.subject.is_some() {
                let step = Step::Create {
                    temp: new.temp.clone(),
                    marker: new.marker,
                };
                return Ok(match self.admit(record, limit, &step, now)? {
                    Admission::Done(ended) => Created::Done(ended),
                    Admission::Lost => Created::Exists,
                    Admission::Refused => {
                        self.io.discard(&new.temp);
                        self.forget(record, queued);
                        Created::Refused(Refusal::TooManySessions)
                    }
                });
            }
            if self.io.place(&path, &new)? {
                return Ok(Created::Done(Vec::new()));
            }
        }
    }

    pub(super) fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: &Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        for tries in 0_u64.. {
            // Whoever lost to another node steps aside for a moment, for longer each time.
            let aside = tries.min(20) * rand::random_range(0..200);
            std::thread::sleep(std::time::Duration::from_micros(aside));
            let Some((old, loaded)) = self.live(id, now)? else {
                return Ok(Updated::Gone);
            };
            if !expect.holds(&old.record) {
                return Ok(Updated::Conflict(loaded));
            }
            let record = old.record.apply(change);
            let mut joins = false;
            if let Some(security) = &change.security {
                let before = &old.record.security;
                if security.admitted < self.not_before(self.clock()?, security)? {
                    return Ok(Updated::Refused(Refusal::Revoked));
                }
                joins = security.subject != before.subject || security.app != before.app;
            }
            let limit = if joins { limit } else { SubjectLimit::NONE };
            if let Some(done) = self.try_update(&old, record, change, limit, now)? {
                return Ok(done);
            }
        }
        Ok(Updated::Gone)
    }

    /// One try; `None` where the session has changed in between.
    fn try_update(
        &self,
        old: &Stored,
        record: Record,
        change: &Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Option<Updated>, StoreError> {
        check_size(&record)?;
        let path = session(record.id);
        let before = &old.record.security;
        let moves = record.security.subject != before.subject;
        let mut place = queued(&old.object.marker);
        if record.deadline() < place {
            place = record.deadline();
            self.queue_session(place, record.id)?;
        }
        if moves {
            self.add_to_index(&record)?;
        }
        if record.security.hard_cap > before.hard_cap {
            self.note_cap(self.clock()?, record.security.hard_cap)?;
        }
        let to = marker(&record, place);
        let ended = if limit.max.is_some() && record.security.subject.is_some() {
            if !self
                .io
                .offer(&path, &old.object, to.nonce, &record.encode())?
            {
                return Ok(None);
            }
            let step = Step::Update {
                from: old.object.marker,
                to,
                keep_activity: change.activity.is_none(),
            };
            match self.admit(&record, limit, &step, now)? {
                Admission::Done(ended) => {
                    self.io.settle(&path, &old.object, to.nonce)?;
                    ended
                }
                // What was offered is removed by the next writer: an answer to somebody else may still point to it.
                Admission::Lost => return Ok(None),
                Admission::Refused => {
                    let offered = format!("{path}/{}", content_name(to.nonce));
                    self.io.tidy(&offered);
                    return Ok(Some(Updated::Refused(Refusal::TooManySessions)));
                }
            }
        } else {
            if !self.io.replace(&path, &old.object, to, &record.encode())? {
                return Ok(None);
            }
            Vec::new()
        };
        if moves {
            self.remove_from_index(&old.record);
        }
        let record = Arc::new(record);
        Ok(Some(Updated::Done { record, ended }))
    }

    pub(super) fn touch(
        &self,
        id: SessionId,
        touch: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        loop {
            let Some((stored, _)) = self.live(id, now)? else {
                return Ok(Touched::Gone);
            };
            let from = stored.object.marker;
            let later = activity(&from).later(touch);
            let mut to = from;
            to.fields[0] = later.last_seen.as_millis();
            to.fields[1] = later.idle_deadline.as_millis();
            if to == from || self.io.shift(&session(id), &from, &to)? {
                self.unsynced.store(true, Ordering::Release);
                return Ok(Touched::Done);
            }
        }
    }

    pub(super) fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.clock()?;
        loop {
            let Some(stored) = self.stored(id)? else {
                return Ok(Deleted::Absent);
            };
            if self.end(&stored)? {
                return Ok(Deleted::Done(stored.record));
            }
        }
    }

    /// Ends a session that is still as found; false where it is not.
    pub(super) fn end(&self, stored: &Stored) -> Result<bool, StoreError> {
        let path = session(stored.record.id);
        let from = stored.object.marker;
        if !self.io.shift(&path, &from, &ended(&from))? {
            return Ok(false);
        }
        match self.io.sync(&path) {
            Err(error) if super::io::absent(&error) => {}
            done => done.during("syncing an end")?,
        }
        let unlisted = self.remove_from_index(&stored.record);
        // As long as its place in the queue is there, a sweep comes by and finishes what was left.
        if unlisted && self.io.remove_for_good(&path) {
            let place = queued_session(queued(&from), stored.record.id);
            self.io.tidy(&place);
        }
        Ok(true)
    }

    /// Takes back what was written for a session that does not begin.
    fn forget(&self, record: &Record, queued: Timestamp) {
        self.remove_from_index(record);
        self.io.tidy(&queued_session(queued, record.id));
    }

    pub(super) fn add_to_index(&self, record: &Record) -> Result<(), StoreError> {
        let Some(subject) = &record.security.subject else {
            return Ok(());
        };
        self.make_entry(&index_entry(subject, record.id), |entry| {
            self.io.create(entry)
        })
    }

    /// False where its entry stays behind.
    pub(super) fn remove_from_index(&self, record: &Record) -> bool {
        let Some(subject) = &record.security.subject else {
            return true;
        };
        let entry = index_entry(subject, record.id);
        let done = self.io.tidy(&entry);
        // Only where it was the last one.
        drop(self.io.rmdir(super::paths::parent(&entry)));
        done
    }
}
