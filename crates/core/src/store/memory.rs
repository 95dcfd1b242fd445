//! The memory store: RAM reserved beforehand, and never more than that.
//!
//! Linearizable, not durable. Every byte that a session costs is charged against the reservation before it is taken:
//! slot, packed record, entries in the tables; replay keys and not-befores too. Not in it: what requests under way hold,
//! and the registry. Where the reservation is full, what expired goes first, then anonymous sessions, least recently used
//! (loaded or written) first; never one with a subject. With nothing left to evict, the newest is refused.
//!
//! # Layout
//!
//! A session is one *slot*: links, id and packed record in a row (`slot`, `packed`). Slots of a size stand without holes
//! in pages of one size (`arena`, `pages`), so that records of all lengths share them without loss. Two tables
//! that are never far from full (`ordered`) find slots by id and ids by subject. Deadlines are a wheel of lists through
//! the slots (`wheel`), anonymous sessions a list by use (`queue`). One of 16 locks (`shard`, `index`) covers a shard of
//! each; `state` has the order of the locks.
//!
//! # Budget
//!
//! Bytes that a session with a subject of 11 bytes takes beside its data, at 1 million (measured by
//! `examples/memory_figures`: 127 charged, 127 resident; 118 for an anonymous one):
//!
//! | bytes | for |
//! |--:|---|
//! | 32 + 16 + 12 | hash of the secret, id, subject with its length |
//! | 18 + 9 | created, last seen, idle deadline; absolute deadline, hard cap and idle timeout as spans |
//! | 5 | flags, admitted, version, version of the security block |
//! | 8 + 2 | links of the wheel; kind and unused bytes of the slot |
//! | 4 | a slot's size is a multiple of 8 (on average) |
//! | 2 | ends of pages |
//! | 2 × 9.5 | entries in the two tables |
//!
//! An anonymous session has 12 bytes more in its slot, its place by use, and neither subject nor second entry. A read
//! copies the data and decodes the rest, in two allocations and one for each name and text, under its shard's lock; no lock
//! is held for more than one session, 128 in a scan, or one growth of a segment of a table.
//!
//! Over a reservation of 64 MiB the process takes at most 8 MiB (measured under a flood on four threads: 7 MiB, however long
//! it lasts). Pages that were once taken stay with the store, unless tables need their room.

mod account;
mod arena;
mod bytes;
mod end;
mod ids;
mod index;
mod not_before;
mod ordered;
mod packed;
mod pages;
mod queue;
mod read;
mod registry;
mod replay;
mod shard;
mod slot;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod times;
mod wheel;
mod write;

use std::fmt;

pub use registry::MemoryRegistry;

use super::{
    Clock, Consistency, Created, Cursor, Deleted, Expect, Listed, Loaded, Profile, ReplayGuard,
    Revoked, Scope, Store, StoreError, SubjectIndex, Swept, Touched, Updated,
};
use crate::change::Change;
use crate::policy::SubjectLimit;
use crate::record::{Activity, Epoch, Record};
use crate::time::Timestamp;
use crate::token::SessionId;
use state::State;
use write::Asked;

/// Bytes in a mebibyte: `MemoryStore::reserve(64 * MIB)`.
pub const MIB: usize = 1024 * 1024;

/// Locks that share the sessions; a power of two, at most 16.
const SHARDS: usize = 16;
/// Reservations from here on are shared out.
const SHARDED_FROM: usize = 8 * MIB;

/// What happens when the reservation is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Full {
    /// Anonymous sessions go, least recently used first.
    #[default]
    Evict,
    /// Nothing goes; one more is refused.
    Reject,
}

/// Counts of a [`MemoryStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Sessions kept, expired ones that were not yet swept included.
    pub sessions: usize,
    /// Those without a subject.
    pub anonymous: usize,
    /// Bytes charged, the store's own fixed part included.
    pub used: usize,
    /// Bytes reserved.
    pub reserved: usize,
    /// Live sessions that were evicted so far.
    pub evicted: u64,
}

/// Sessions in reserved RAM.
pub struct MemoryStore {
    state: State,
}

/// Settings of a [`MemoryStore`].
#[derive(Debug, Clone, Copy)]
pub struct MemoryBuilder {
    reserve: usize,
    max_sessions: usize,
    full: Full,
}

impl MemoryBuilder {
    /// Bytes that sessions may take together. Default 64 MiB.
    #[must_use]
    pub fn reserve(mut self, bytes: usize) -> Self {
        self.reserve = bytes;
        self
    }

    /// How many sessions there may be at once; default no limit but the reservation. 1 suits a device's admin page.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// What happens when it is full. Default [`Full::Evict`].
    #[must_use]
    pub fn full(mut self, full: Full) -> Self {
        self.full = full;
        self
    }

    /// The store.
    pub fn build(self) -> MemoryStore {
        // A small device serves few at a time, and its memory is better spent on sessions than on locks.
        let shards = if self.reserve < SHARDED_FROM {
            1
        } else {
            SHARDS
        };
        self.with_shards(shards)
    }

    fn with_shards(self, shards: usize) -> MemoryStore {
        MemoryStore {
            state: State::new(self.reserve, self.max_sessions, self.full, shards),
        }
    }
}

impl MemoryStore {
    /// A store that takes at most `bytes` for its sessions.
    pub fn reserve(bytes: usize) -> Self {
        Self::builder().reserve(bytes).build()
    }

    /// Starts from the defaults.
    pub fn builder() -> MemoryBuilder {
        MemoryBuilder {
            reserve: 64 * MIB,
            max_sessions: usize::MAX,
            full: Full::Evict,
        }
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        self.state.account.stats()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryStore").field(&self.stats()).finish()
    }
}

// All work is done under short locks and is ready at once, so no future is ever dropped half-way.
impl Store for MemoryStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "memory",
            consistency: Consistency::Linearizable,
            durable: false,
            shared: false,
            clock: Clock::Caller,
            ready: true,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.state.create(&record, limit, now)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.state.load(id)
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        self.state.update(&Asked {
            id,
            expect,
            change: &change,
            limit,
            now,
        })
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.state.touch(id, activity, now)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.state.delete(id)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        Ok(self.state.sweep(now, limit))
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl SubjectIndex for MemoryStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.state.not_before.read().epoch())
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.state.list(&scope, cursor, limit, now)
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        self.state.revoke_all(&scope, except, now)
    }
}

impl ReplayGuard for MemoryStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.state.first_seen(key, until, now)
    }
}
