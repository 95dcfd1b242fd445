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
use super::format::{Marker, take};
use super::io::absent;
use super::object::{Look, Was, nonce};
use super::paths::{WORK, gate, session};
use super::place::Prepared;
use super::sessions::Stored;

/// How a session begins, or gets its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A prepared folder moves to its place.
    Create { temp: String, marker: Marker },
    /// A marker moves to a content that was offered.
    Update {
        from: Marker,
        to: Marker,
        /// Whether the activity stays as it is by then.
        keep_activity: bool,
    },
}

/// What a gate holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intent {
    id: SessionId,
    step: Step,
    /// Who ends for it.
    ending: Vec<SessionId>,
}

/// The answer of a gate.
pub(super) enum Admission {
    Done(Vec<SessionId>),
    /// The session is not as it was.
    Lost,
    Refused,
}

const CREATE: u8 = 1;
const UPDATE: u8 = 2;

impl Intent {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.step {
            Step::Create { temp, marker } => {
                out.push(CREATE);
                out.push(u8::try_from(temp.len()).unwrap_or(0));
                out.extend_from_slice(temp.as_bytes());
                put_marker(&mut out, marker);
            }
            Step::Update {
                from,
                to,
                keep_activity,
            } => {
                out.push(UPDATE);
                put_marker(&mut out, from);
                put_marker(&mut out, to);
                out.push(u8::from(*keep_activity));
            }
        }
        for id in [self.id].iter().chain(&self.ending) {
            out.extend_from_slice(id.as_bytes());
        }
        out
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let step = match take::<1>(&mut bytes)?[0] {
            CREATE => {
                let len = take::<1>(&mut bytes)?[0];
                let (temp, rest) = bytes.split_at_checked(usize::from(len))?;
                bytes = rest;
                Step::Create {
                    temp: std::str::from_utf8(temp)
                        .ok()
                        .filter(|temp| is_work(temp))?
                        .to_owned(),
                    marker: take_marker(&mut bytes)?,
                }
            }
            UPDATE => Step::Update {
                from: take_marker(&mut bytes)?,
                to: take_marker(&mut bytes)?,
                keep_activity: take::<1>(&mut bytes)?[0] == 1,
            },
            _ => return None,
        };
        let (ids, []) = bytes.as_chunks::<16>() else {
            return None;
        };
        let mut ids = ids.iter().map(|id| SessionId::from_bytes(*id));
        Some(Self {
            id: ids.next()?,
            step,
            ending: ids.collect(),
        })
    }
}

/// Whether a path from a file is one of what is being made.
fn is_work(path: &str) -> bool {
    let name = path
        .strip_prefix(WORK)
        .and_then(|name| name.strip_prefix('/'));
    name.is_some_and(|name| name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn put_marker(out: &mut Vec<u8>, marker: &Marker) {
    out.extend_from_slice(&marker.version.to_be_bytes());
    out.extend_from_slice(&marker.nonce.to_be_bytes());
    for field in marker.fields {
        out.extend_from_slice(&field.to_be_bytes());
    }
}

fn take_marker(bytes: &mut &[u8]) -> Option<Marker> {
    let version = u64::from_be_bytes(take(bytes)?);
    let nonce = u64::from_be_bytes(take(bytes)?);
    let mut fields = [0; 4];
    for field in &mut fields {
        *field = i64::from_be_bytes(take(bytes)?);
    }
    Some(Marker {
        ended: false,
        version,
        nonce,
        fields,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(version: u64) -> Marker {
        Marker {
            ended: false,
            version,
            nonce: version * 7,
            fields: [-1, 0, 1, i64::MAX],
        }
    }

    #[test]
    fn intents_come_back_or_are_none() {
        let id = |byte| SessionId::from_bytes([byte; 16]);
        let create = |temp: &str| Intent {
            id: id(1),
            step: Step::Create {
                temp: temp.into(),
                marker: marker(1),
            },
            ending: vec![id(2), id(3)],
        };
        let update = Intent {
            id: id(1),
            step: Step::Update {
                from: marker(1),
                to: marker(2),
                keep_activity: true,
            },
            ending: Vec::new(),
        };
        for intent in [create("t/0123456789abcdef"), update] {
            let bytes = intent.encode();
            assert_eq!(Intent::decode(&bytes), Some(intent));
            for len in 0..bytes.len() {
                let cut = Intent::decode(&bytes[..len]);
                assert!(cut.is_none_or(|cut| cut.encode() == bytes[..len]));
            }
        }
        for foreign in [
            "",
            "t/",
            "t/../s/00/00000000",
            "/etc/cron.d/xxxx",
            "t/0123456789abcdeg",
        ] {
            assert_eq!(Intent::decode(&create(foreign).encode()), None, "{foreign}");
        }
    }
}
