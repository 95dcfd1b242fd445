//! The registry and the replay guard, each entry an object.
//!
//! A removed entry stays as a stone for a while, so that its versions go on; before a sweep clears a stone, or an entry
//! past its time, it raises the floor from which new entries count, so that no version ever comes again.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::Timestamp;
use cloakroom_core::store::{Entry, Expected, Kind, Put, StoreError, VALUE_MAX};

use super::Files;
use super::error::{During as _, corrupt, denied};
use super::format::{Content, Marker, take};
use super::io::absent;
use super::object::{Look, Object, nonce};
use super::paths::{FLOOR, bell, entry, kind as folder, name_front, replay};

const NAME_MAX: usize = 255;
const REPLAY_MAX: usize = 64;
/// How long a removed entry stays.
const STONE: Duration = Duration::from_secs(60 * 60);

// The fields of an entry's marker.
const EXPIRES: usize = 0;
const REMOVED: usize = 1;

pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) name: Box<str>,
    pub(super) expected: Expected,
    pub(super) value: Option<Bytes>,
    pub(super) expires: Option<Timestamp>,
}

/// Whether a registry name may be one.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(denied("a registry name must have 1 to 255 bytes"));
    }
    Ok(())
}

/// Whether a replay key may be one.
pub(super) fn check_replay(key: &[u8]) -> Result<(), StoreError> {
    if key.len() > REPLAY_MAX {
        return Err(denied("a replay key may have at most 64 bytes"));
    }
    Ok(())
}

impl Write {
    /// Whether it is within what the contract allows.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_name(&self.name)?;
        if self
            .value
            .as_ref()
            .is_some_and(|value| value.len() > VALUE_MAX)
        {
            return Err(denied("a registry value may have at most 256 KiB"));
        }
        Ok(())
    }

    /// The marker, and the content, of what it leaves.
    fn leaves(&self, version: u64, now: Timestamp) -> (Marker, Vec<u8>) {
        let mut body = Vec::with_capacity(1 + self.name.len() + VALUE_MAX / 64);
        body.push(u8::try_from(self.name.len()).unwrap_or(0));
        body.extend_from_slice(self.name.as_bytes());
        body.extend_from_slice(self.value.as_deref().unwrap_or_default());
        let expires = match self.value {
            Some(_) => self.expires.unwrap_or(Timestamp::NEVER),
            None => now.plus(STONE),
        };
        let marker = Marker {
            ended: false,
            version,
            nonce: nonce(),
            fields: [expires.as_millis(), i64::from(self.value.is_none()), 0, 0],
        };
        (marker, body)
    }
}

/// Reads an entry as it stands in its content.
fn decode(marker: &Marker, content: &Content) -> Result<Entry, StoreError> {
    let damaged = || corrupt("reading a registry entry");
    let mut body = &content.body[..];
    let len = take::<1>(&mut body).ok_or_else(damaged)?[0];
    let (name, value) = body
        .split_at_checked(usize::from(len))
        .ok_or_else(damaged)?;
    let name = std::str::from_utf8(name).map_err(|_| damaged())?;
    let expires = Timestamp::from_millis(marker.fields[EXPIRES]);
    Ok(Entry {
        name: name.into(),
        value: Bytes::copy_from_slice(value),
        version: marker.version,
        expires: Some(expires).filter(|expires| *expires != Timestamp::NEVER),
    })
}

fn is_there(marker: &Marker, now: Timestamp) -> bool {
    marker.fields[REMOVED] == 0 && now.as_millis() < marker.fields[EXPIRES]
}

impl Files {
    fn entry_at(
        &self,
        path: &str,
        now: Timestamp,
    ) -> Result<(Option<Object>, Option<Entry>), StoreError> {
        let object = self.io.get(path)?;
        let there = object
            .as_ref()
            .filter(|object| is_there(&object.marker, now));
        let entry = there.map(|object| decode(&object.marker, &object.content));
        let entry = entry.transpose()?;
        Ok((object, entry))
    }

    /// As [`Files::entry_at`], by who would write it.
    fn entry_to_change(
        &self,
        path: &str,
        now: Timestamp,
    ) -> Result<(Option<Object>, Option<Entry>), StoreError> {
        match self.io.look_or_clear(path)? {
            Look::Absent => Ok((None, None)),
            Look::There { .. } => self.entry_at(path, now),
        }
    }

    pub(super) fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        self.clock()?;
        Ok(self.entry_at(&entry(kind, name), now)?.1)
    }

    pub(super) fn put(&self, write: &Write, now: Timestamp) -> Result<Put, StoreError> {
        self.clock()?;
        let path = entry(write.kind, &write.name);
        loop {
            let (old, there) = self.entry_to_change(&path, now)?;
            let holds = match write.expected {
                Expected::Absent => there.is_none(),
                Expected::Version(version) => {
                    there.as_ref().is_some_and(|entry| entry.version == version)
                }
                Expected::Anything => true,
            };
            if !holds {
                return Ok(Put::Conflict(there));
            }
            let version = match &old {
                Some(old) => old.marker.version + 1,
                // After the look that found nothing: whoever cleared it has raised the floor before.
                None => self.floor()? + 1,
            };
            let (to, body) = write.leaves(version, now);
            self.queue(Timestamp::from_millis(to.fields[EXPIRES]), &path)?;
            let written = match &old {
                Some(old) => self.io.replace(&path, old, to, &body)?,
                None => {
                    if let Look::There { marker, .. } = self.io.look(&path)?
                        && marker.ended
                    {
                        self.io.remove(&path);
                    }
                    let new = self.io.prepare(&path, to, Some(&body))?;
                    self.io.place(&path, &new)?
                }
            };
            if written {
                self.ring(write.kind)?;
                return Ok(Put::Done(version));
            }
        }
    }

    pub(super) fn entries(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        self.clock()?;
        let folder = folder(kind);
        let files = match self.io.names(&folder) {
            Err(error) if absent(&error) => Vec::new(),
            files => files.during("listing registry entries")?,
        };
        let after = after.map(str::as_bytes);
        let mut candidates: Vec<(Vec<u8>, String)> = Vec::new();
        for file in files {
            let Some((front, whole)) = name_front(&file) else {
                continue;
            };
            // Of a long name the front alone is known: it is read to sort it.
            let path = format!("{folder}/{file}");
            let name = if whole {
                front
            } else {
                match self.entry_at(&path, now)?.1 {
                    Some(entry) => entry.name.as_bytes().to_vec(),
                    None => continue,
                }
            };
            if after.is_none_or(|after| after < &name[..]) {
                candidates.push((name, path));
            }
        }
        candidates.sort_unstable();
        let mut entries = Vec::new();
        for (_, path) in candidates {
            if entries.len() == limit {
                break;
            }
            entries.extend(self.entry_at(&path, now)?.1);
        }
        Ok(entries)
    }

    fn counter(&self, path: &str) -> Result<Option<Marker>, StoreError> {
        Ok(match self.io.look_or_clear(path)? {
            Look::There { marker, .. } => Some(marker),
            Look::Absent => None,
        })
    }

    fn floor(&self) -> Result<u64, StoreError> {
        Ok(self.counter(FLOOR)?.map_or(0, |marker| marker.version))
    }

    /// Makes new entries count from above `version` on.
    pub(super) fn raise_floor(&self, version: u64) -> Result<(), StoreError> {
        loop {
            let Some(from) = self.counter(FLOOR)? else {
                return Err(corrupt("the floor of the registry is not there"));
            };
            let mut to = from;
            to.version = from.version.max(version);
            if to == from || self.io.shift(FLOOR, &from, &to)? {
                return self
                    .io
                    .sync(FLOOR)
                    .during("syncing the floor of the registry");
            }
        }
    }

    /// The revision of a kind; 0 where nothing was ever written.
    pub(super) fn revision(&self, kind: Kind) -> Result<u64, StoreError> {
        self.clock()?;
        Ok(self
            .counter(&bell(kind))?
            .map_or(0, |marker| marker.version))
    }

    /// Raises the revision of a kind. Where another raises it at the same time, he did so after our write: that will do.
    fn ring(&self, kind: Kind) -> Result<(), StoreError> {
        let path = bell(kind);
        match self.counter(&path)? {
            Some(from) => {
                let mut to = from;
                to.version += 1;
                self.io.shift(&path, &from, &to)?;
            }
            None => {
                let first = Marker {
                    ended: false,
                    version: 1,
                    nonce: nonce(),
                    fields: [0; 4],
                };
                let new = self.io.prepare(&path, first, None)?;
                self.io.place(&path, &new)?;
            }
        }
        self.io.sync(&path).during("syncing a revision")?;
        self.bells[kind as usize].notify_waiters();
        Ok(())
    }

    pub(super) fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.clock()?;
        let path = replay(key);
        let fresh = Marker {
            ended: false,
            version: 1,
            nonce: nonce(),
            fields: [until.as_millis(), 0, 0, 0],
        };
        loop {
            let Some(from) = self.counter(&path)? else {
                self.queue(until, &path)?;
                let new = self.io.prepare(&path, fresh, None)?;
                if self.io.place(&path, &new)? {
                    return Ok(true);
                }
                continue;
            };
            if from.ended {
                self.io.remove(&path);
                continue;
            }
            if now.as_millis() < from.fields[0] {
                return Ok(false);
            }
            self.queue(until, &path)?;
            let mut to = from;
            to.version += 1;
            to.fields[0] = until.as_millis();
            // Two that see it again at once must not move to the same state.
            to.fields[1] = nonce().cast_signed();
            if self.io.shift(&path, &from, &to)? {
                self.io.sync(&path).during("syncing a replay key")?;
                return Ok(true);
            }
        }
    }
}
