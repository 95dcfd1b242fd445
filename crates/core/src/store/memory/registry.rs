//! The registry in memory: for a server that writes nothing to disk.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::store::{Entry, ErrorKind, Expected, Kind, Put, Registry, StoreError, VALUE_MAX};
use crate::time::Timestamp;

/// Small named objects in RAM; they go with the process.
#[derive(Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<(Kind, Box<str>), Entry>,
    /// Counts all writes, so that versions of a name never repeat, also after its removal.
    sequence: u64,
    revisions: BTreeMap<Kind, u64>,
    waiting: Vec<Waker>,
    /// Writes since expired entries were last cleared.
    uncleared: usize,
}

impl State {
    /// Drops what expired, once for as many writes as there are entries: a write pays for one entry on average, and what
    /// expired never takes more than what is there.
    fn clear(&mut self, now: Timestamp) {
        self.uncleared += 1;
        if self.uncleared > self.entries.len().max(64) {
            self.uncleared = 0;
            self.entries
                .retain(|_, entry| entry.expires.is_none_or(|expires| now < expires));
        }
    }

    fn get(&self, kind: Kind, name: &str, now: Timestamp) -> Option<&Entry> {
        let entry = self.entries.get(&(kind, name.into()))?;
        entry
            .expires
            .is_none_or(|expires| now < expires)
            .then_some(entry)
    }
}

fn check(name: &str, value: Option<&Bytes>) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > 255 {
        return Err(StoreError::new(
            ErrorKind::Denied,
            "a name must have 1 to 255 bytes",
        ));
    }
    if value.is_some_and(|value| value.len() > VALUE_MAX) {
        return Err(StoreError::new(ErrorKind::Denied, "a value is too large"));
    }
    Ok(())
}

impl Registry for MemoryRegistry {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        check(name, None)?;
        Ok(self.state.lock().get(kind, name, now).cloned())
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
        check(name, value.as_ref())?;
        let mut state = self.state.lock();
        let found = state.get(kind, name, now).cloned();
        let holds = match expected {
            Expected::Absent => found.is_none(),
            Expected::Version(version) => {
                found.as_ref().is_some_and(|entry| entry.version == version)
            }
            Expected::Anything => true,
        };
        if !holds {
            return Ok(Put::Conflict(found));
        }
        state.clear(now);
        state.sequence += 1;
        let version = state.sequence;
        match value {
            Some(value) => {
                let entry = Entry {
                    name: name.into(),
                    value,
                    version,
                    expires,
                };
                state.entries.insert((kind, name.into()), entry);
            }
            None => {
                state.entries.remove(&(kind, name.into()));
            }
        }
        state.revisions.insert(kind, version);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        Ok(Put::Done(version))
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let state = self.state.lock();
        let entries = state
            .entries
            .range((kind, Box::from(after.unwrap_or("")))..);
        let of_kind = entries
            .take_while(|((found, _), _)| *found == kind)
            .map(|(_, entry)| entry);
        let wanted = of_kind.filter(|entry| after.is_none_or(|after| &*entry.name > after));
        let alive = wanted.filter(|entry| entry.expires.is_none_or(|expires| now < expires));
        Ok(alive.take(limit).cloned().collect())
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        poll_fn(|context| {
            let mut state = self.state.lock();
            match state.revisions.get(&kind) {
                Some(revision) if *revision > seen => Poll::Ready(Ok(*revision)),
                _ => {
                    // Wakers of waits that were given up would pile up: a write empties the list, and this bounds it.
                    if !state
                        .waiting
                        .iter()
                        .any(|waker| waker.will_wake(context.waker()))
                    {
                        state.waiting.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "MemoryRegistry({} entries)",
            self.state.lock().entries.len()
        )
    }
}
