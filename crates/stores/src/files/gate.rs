//! Logins under a limit (S-14), one after another for each subject and application.
//!
//! The gate is an object whose content is an *intent*: which session begins (or changes hands), how exactly, and which
//! sessions end for it. Who wants to log somebody in first finishes the intent that stands there, whoever left it; then
//! he counts, and writes his own in its place, which fails if another was faster. An intent names exact states and
//! contents that are already written, so that doing it twice is doing it once. A crash leaves an intent; the next login,
//! or listing, of the subject finishes it.

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Record;
use cloakroom_core::store::StoreError;
use cloakroom_core::{App, SessionId, Subject, SubjectLimit, Timestamp};

use super::Files;
use super::error::{During as _, corrupt};
use super::format::Marker;
use super::intent::{Intent, Step};
use super::io::absent;
use super::object::{Look, Was, nonce};
use super::paths::{gate, session};
use super::place::Prepared;
use super::sessions::Stored;

/// The answer of a gate.
pub(super) enum Admission {
    Done(Vec<SessionId>),
    /// The session is not as it was.
    Lost,
    Refused,
}

// The fields of a gate's marker: until when it stays, and whether its intent was carried out.
const UNTIL: usize = 0;
const DONE: usize = 1;
/// A gate stays for one to two of these after the last login, in milliseconds: by the day, so that it is queued seldom.
const DAY: i64 = 24 * 60 * 60 * 1000;

impl Files {
    /// Lets `record` in by `step`, if the limit of its subject allows it.
    pub(super) fn admit(
        &self,
        record: &Record,
        limit: SubjectLimit,
        step: &Step,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (Some(subject), Some(max)) = (&record.security.subject, limit.max) else {
            return Ok(Admission::Lost);
        };
        let (max, app) = (max as usize, record.security.app.as_ref());
        let path = gate(subject, app);
        let until = now
            .as_millis()
            .div_euclid(DAY)
            .saturating_add(2)
            .saturating_mul(DAY);
        loop {
            let there = self.io.get_or_clear(&path)?;
            if let Some(object) = &there {
                self.finish(&path, object.marker, &object.content.body)?;
            }
            let mut others = self.others(record, now)?;
            let over = (others.len() + 1).saturating_sub(max);
            if over > 0 && (max == 0 || limit.on_full == OnFull::Deny) {
                return Ok(Admission::Refused);
            }
            others
                .sort_unstable_by_key(|other| (other.record.security.created_at, other.record.id));
            others.truncate(over);
            let intent = Intent {
                id: record.id,
                step: step.clone(),
                ending: others.iter().map(|other| other.record.id).collect(),
            };
            let next = Marker {
                ended: false,
                version: there.as_ref().map_or(1, |there| there.marker.version + 1),
                nonce: nonce(),
                fields: [until, 0, 0, 0],
            };
            if there
                .as_ref()
                .is_none_or(|there| there.marker.fields[UNTIL] < until)
            {
                self.queue(Timestamp::from_millis(until), &path)?;
            }
            let body = intent.encode();
            let written = match &there {
                Some(there) => self.io.replace(&path, there, next, &body)?,
                None => {
                    let new = self.io.prepare(&path, next, Some(&body))?;
                    self.io.place(&path, &new)?
                }
            };
            if written {
                let was = self.carry_out(&intent)?;
                self.mark_done(&path, next);
                return Ok(match (was, step) {
                    (Was::Current, _) => Admission::Done(intent.ending),
                    // Whoever finished it for us has ended the others, and ours since.
                    (Was::Unknown, Step::Create { .. }) => Admission::Done(intent.ending),
                    _ => Admission::Lost,
                });
            }
        }
    }

    /// Finishes what stands in the gate of a subject, if anything does.
    pub(super) fn finish_gate(
        &self,
        subject: &Subject,
        app: Option<&App>,
    ) -> Result<(), StoreError> {
        self.finish_gate_at(&gate(subject, app))
    }

    pub(super) fn finish_gate_at(&self, path: &str) -> Result<(), StoreError> {
        // Most subjects have none, and most gates nothing to do: both are seen by one look.
        match self.io.look(path)? {
            Look::There { marker, .. } if marker.fields[DONE] == 0 && !marker.ended => {}
            _ => return Ok(()),
        }
        match self.io.get(path)? {
            Some(object) => self.finish(path, object.marker, &object.content.body),
            None => Ok(()),
        }
    }

    fn finish(&self, path: &str, marker: Marker, body: &[u8]) -> Result<(), StoreError> {
        if marker.fields[DONE] != 0 {
            return Ok(());
        }
        let intent = Intent::decode(body).ok_or_else(|| corrupt("reading a login under way"))?;
        self.carry_out(&intent)?;
        self.mark_done(path, marker);
        Ok(())
    }

    fn mark_done(&self, path: &str, from: Marker) {
        let mut to = from;
        to.fields[DONE] = 1;
        if let Err(error) = self.io.shift(path, &from, &to) {
            tracing::debug!(%error, "a login is looked at once more");
        }
    }

    /// The live sessions beside `record` of its subject in its application.
    fn others(&self, record: &Record, now: Timestamp) -> Result<Vec<Stored>, StoreError> {
        let security = &record.security;
        let Some(subject) = &security.subject else {
            return Ok(Vec::new());
        };
        let shown = self.clock()?;
        let mut others = Vec::new();
        for id in self.ids_of(subject)? {
            let same = |other: &Record| {
                other.security.subject == security.subject && other.security.app == security.app
            };
            if id != record.id
                && let Some((other, _)) = self.loaded(shown, id)?
                && same(&other.record)
                && self.is_live(shown, &other.record, now)?
            {
                others.push(other);
            }
        }
        Ok(others)
    }

    /// Does what an intent says, as far as it is not done. Nobody ends for a session whose beginning is not certain.
    fn carry_out(&self, intent: &Intent) -> Result<Was, StoreError> {
        let was = match &intent.step {
            Step::Create { temp, marker } => self.carry_create(intent.id, temp, *marker)?,
            Step::Update {
                from,
                to,
                keep_activity,
            } => self.carry_update(intent.id, from, to, *keep_activity)?,
        };
        if was == Was::Current {
            for id in &intent.ending {
                while let Some(stored) = self.stored(*id)? {
                    if self.end(&stored)? {
                        break;
                    }
                }
            }
        }
        Ok(was)
    }

    fn carry_create(&self, id: SessionId, temp: &str, marker: Marker) -> Result<Was, StoreError> {
        let path = session(id);
        match self.io.names(temp) {
            // Somebody has moved it to its place.
            Err(error) if absent(&error) => return self.io.was_current(&path, None, marker),
            names => drop(names.during("reading a login under way")?),
        }
        let prepared = Prepared {
            temp: temp.to_owned(),
            marker,
        };
        self.io.try_place(&path, &prepared)
    }

    fn carry_update(
        &self,
        id: SessionId,
        from: &Marker,
        to: &Marker,
        keep_activity: bool,
    ) -> Result<Was, StoreError> {
        let path = session(id);
        loop {
            let Look::There { marker, .. } = self.io.look(&path)? else {
                return Ok(Was::Unknown);
            };
            if marker.nonce == to.nonce {
                break;
            }
            let same = (marker.version, marker.nonce) == (from.version, from.nonce);
            if marker.ended || !same {
                return self.io.was_current(&path, Some(from), *to);
            }
            let mut to = *to;
            if keep_activity {
                to.fields[..2].copy_from_slice(&marker.fields[..2]);
            }
            // A sweep may have put it to another place in the queue.
            to.fields[3] = to.fields[3].min(marker.fields[3]);
            if self.io.shift(&path, &marker, &to)? {
                break;
            }
        }
        match self.io.sync(&path) {
            Err(error) if absent(&error) => Ok(Was::Current),
            done => done.during("syncing a login").map(|()| Was::Current),
        }
    }
}
