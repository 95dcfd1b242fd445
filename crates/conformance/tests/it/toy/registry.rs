//! The toy as a registry.

use bytes::Bytes;
use cloakroom_core::store::{Entry, ErrorKind, Expected, Kind, Put, Registry, VALUE_MAX};
use cloakroom_core::{StoreError, Timestamp};

use super::state::State;
use super::{Flaw, Toy};

fn find(state: &State, kind: Kind, name: &str, now: Timestamp) -> Option<Entry> {
    let (_, entry) = state.entries.get(&(kind, name.to_owned()))?;
    let expired = entry.expires.is_some_and(|expires| expires <= now);
    (!expired || state.has(Flaw::ListsExpired)).then(|| entry.clone())
}

impl Registry for Toy {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        Ok(find(&*self.state()?, kind, name, now))
    }

    async fn put(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        let too_long = name.is_empty() || name.len() > 255;
        let too_large = value.as_ref().is_some_and(|value| value.len() > VALUE_MAX);
        if (too_long || too_large) && !self.state()?.has(Flaw::TakesEveryName) {
            return Err(StoreError::new(ErrorKind::Denied, "a toy's put"));
        }
        let early = find(&*self.state()?, kind, name, now);
        self.pause_if(Flaw::PutRace).await;
        let mut state = self.state()?;
        let there = if state.has(Flaw::PutRace) {
            early
        } else {
            find(&state, kind, name, now)
        };
        let holds = match (expected, &there) {
            (Expected::Anything, _) | (Expected::Absent, None) => true,
            (Expected::Version(version), Some(entry)) => entry.version == version,
            _ => false,
        };
        if !holds {
            return Ok(Put::Conflict(there));
        }
        let version = self.put_entry(&mut state, kind, name, value, expires);
        Ok(Put::Done(version))
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let state = self.state()?;
        let mut found: Vec<(u64, Entry)> = state
            .entries
            .iter()
            .filter(|((of, _), _)| *of == kind || state.has(Flaw::KindsMix))
            .filter(|((_, name), _)| after.is_none_or(|after| name.as_str() > after))
            .filter(|((of, name), _)| find(&state, *of, name, now).is_some())
            .map(|(_, entry)| entry.clone())
            .collect();
        if state.has(Flaw::Unordered) {
            found.sort_by_key(|(written, _)| *written);
        }
        Ok(found
            .into_iter()
            .take(limit)
            .map(|(_, entry)| entry)
            .collect())
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        let mut writes = self.shared.changed.subscribe();
        loop {
            {
                let state = self.state()?;
                let revision = if state.has(Flaw::WakesForAll) {
                    state.revisions.values().copied().max()
                } else {
                    state.revisions.get(&kind).copied()
                };
                if let Some(revision) = revision.filter(|revision| *revision > seen) {
                    return Ok(revision);
                }
            }
            let _ = writes.changed().await;
        }
    }
}

impl Toy {
    fn put_entry(
        &self,
        state: &mut State,
        kind: Kind,
        name: &str,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
    ) -> u64 {
        let key = (kind, name.to_owned());
        state.written += 1;
        let written = state.written;
        let version = if state.has(Flaw::VersionsRepeat) {
            state
                .entries
                .get(&key)
                .map_or(1, |(_, old)| old.version + 1)
        } else {
            written
        };
        let value = match value {
            None if state.has(Flaw::RemovalIsEmpty) => Some(Bytes::new()),
            Some(value) if state.has(Flaw::CutsValues) => {
                Some(value.slice(..value.len().min(4096)))
            }
            value => value,
        };
        match value {
            Some(value) => {
                let entry = Entry {
                    name: name.into(),
                    value,
                    version,
                    expires,
                };
                state.entries.insert(key, (written, entry));
            }
            None => {
                state.entries.remove(&key);
            }
        }
        if !state.has(Flaw::NeverWakes) {
            state.revisions.insert(kind, written);
        }
        if !state.has(Flaw::CrashForgetsEntries) {
            self.commit(state);
        }
        self.shared.changed.send_modify(|count| *count += 1);
        version
    }
}
