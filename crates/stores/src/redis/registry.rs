//! Small named objects, and what was seen before.

use std::time::Duration;

use ::redis::{Cmd, Value};
use bytes::Bytes;
use cloakroom_core::Timestamp;
use cloakroom_core::store::{Entry, ErrorKind, Expected, Kind, Put, StoreError, VALUE_MAX};

use super::admission::hex;
use super::error::{damaged, denied};
use super::inner::{Inner, array, bytes};
use super::route::Care;
use super::script::{ENTRIES, ENTRY, PUT, SEEN};

const NAME_MAX: usize = 255;
const SEEN_MAX: usize = 64;
const WHAT: &str = "reading a registry entry";
/// How often a watcher asks for the revision.
const WATCH: Duration = Duration::from_millis(200);

fn check_name(name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(denied("a registry name must have 1 to 255 bytes"));
    }
    Ok(())
}

impl Inner {
    pub(super) async fn get_entry(
        &self,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Entry>, StoreError> {
        check_name(name)?;
        let ([values, ..], slot) = self.keys.registry(kind);
        let answer = self
            .script(slot, &ENTRY, &[values], Care::Repeat, |cmd| {
                cmd.arg(name);
            })
            .await?;
        match answer {
            Value::Nil => Ok(None),
            value => read_entry(kind, name, &bytes(value)?).map(Some),
        }
    }

    pub(super) async fn put_entry(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        check_name(name)?;
        if value.as_ref().is_some_and(|value| value.len() > VALUE_MAX) {
            return Err(denied("a registry value may have at most 256 KiB"));
        }
        let (mode, version) = match expected {
            Expected::Absent => ("a", 0),
            Expected::Version(version) => ("v", version),
            Expected::Anything => ("*", 0),
        };
        let sealed = value.as_ref().map(|value| seal(kind, name, value));
        let expires = expires.map_or(String::new(), |time| time.as_millis().to_string());
        let (keys, slot) = self.keys.registry(kind);
        let answer = self
            .script(slot, &PUT, &keys, Care::Once, |cmd| {
                cmd.arg(name)
                    .arg(mode)
                    .arg(version.to_string())
                    .arg(&expires)
                    .arg(i32::from(sealed.is_some()))
                    .arg(sealed.as_deref().unwrap_or_default());
            })
            .await?;
        let mut words = array(answer)?.into_iter();
        match (words.next(), words.next()) {
            (Some(Value::Int(1)), Some(Value::Int(version))) => {
                Ok(Put::Done(u64::try_from(version).unwrap_or(0)))
            }
            (Some(Value::Int(0)), None | Some(Value::Nil)) => Ok(Put::Conflict(None)),
            (Some(Value::Int(0)), Some(there)) => {
                let there = read_entry(kind, name, &bytes(there)?)?;
                Ok(Put::Conflict(Some(there)))
            }
            _ => Err(damaged(WHAT)),
        }
    }

    pub(super) async fn list_entries(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let ([values, names, ..], slot) = self.keys.registry(kind);
        let from = after.map_or("-".to_owned(), |after| format!("({after}"));
        let answer = self
            .script(slot, &ENTRIES, &[values, names], Care::Repeat, |cmd| {
                cmd.arg(from).arg(limit);
            })
            .await?;
        let mut entries = Vec::new();
        let mut words = array(answer)?.into_iter();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let name = String::from_utf8(bytes(name)?).map_err(|_| damaged(WHAT))?;
            entries.push(read_entry(kind, &name, &bytes(value)?)?);
        }
        Ok(entries)
    }

    pub(super) async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        let ([.., revision], slot) = self.keys.registry(kind);
        let mut cmd = Cmd::new();
        cmd.arg("GET").arg(revision);
        loop {
            // A server that is away may come back; a watcher outlasts that.
            match self.router.read(slot, &cmd).await {
                Ok(Value::BulkString(text)) => {
                    let revision = std::str::from_utf8(&text).ok().and_then(|t| t.parse().ok());
                    let revision = revision.ok_or_else(|| damaged(WHAT))?;
                    if revision > seen {
                        return Ok(revision);
                    }
                }
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                _ => {}
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    pub(super) async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        if key.len() > SEEN_MAX {
            return Err(denied("a replay key may have at most 64 bytes"));
        }
        let (key, slot) = self.keys.seen(key);
        let token = hex(self.token());
        let answer = self
            .script(slot, &SEEN, &[key], Care::Kept, |cmd| {
                cmd.arg(until.as_millis()).arg(&token);
            })
            .await?;
        Ok(answer == Value::Int(1))
    }
}

/// The value behind its checksum, which covers its name too.
fn seal(kind: Kind, name: &str, value: &[u8]) -> Vec<u8> {
    let mut sealed = checksum(kind, name, value).to_vec();
    sealed.extend_from_slice(value);
    sealed
}

fn checksum(kind: Kind, name: &str, value: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(kind.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(name.as_bytes());
    hasher.update(&[0]);
    hasher.update(value);
    hasher.finalize().to_be_bytes()
}

/// Reads `version expires checksum-and-value`.
fn read_entry(kind: Kind, name: &str, stored: &[u8]) -> Result<Entry, StoreError> {
    let mut parts = stored.splitn(3, |byte| *byte == b' ');
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (version, expires) = (text(), text());
    let (Some(version), Some(expires), Some(sealed)) = (version, expires, parts.next()) else {
        return Err(damaged(WHAT));
    };
    let (sum, value) = sealed.split_at_checked(4).ok_or_else(|| damaged(WHAT))?;
    if sum != checksum(kind, name, value) {
        return Err(damaged(WHAT));
    }
    let expires = match expires {
        "" => None,
        millis => Some(millis.parse().map_err(|_| damaged(WHAT))?),
    };
    Ok(Entry {
        name: name.into(),
        value: Bytes::copy_from_slice(value),
        version: version.parse().map_err(|_| damaged(WHAT))?,
        expires: expires.map(Timestamp::from_millis),
    })
}
