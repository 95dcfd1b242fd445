//! Memory with an overflow: sessions in reserved RAM, and on disk where the reservation is full.
//!
//! A session begins in memory. Where there is no room for one more, those that were used least recently go down to an
//! embedded store on disk, with a subject or without; used again, one comes back up as soon as an eighth of the reservation
//! is free. Nothing is refused or thrown out as long as the disk has room. Like the memory store it forgets everything at
//! its end: what is left of a process that was killed is cleared at the next start.
//!
//! A session is in one of the two places, and for the moment of a move in both; memory counts then. Moves go on under the
//! lock of the session, so none of its writes can fall between the two. Both count revocations alike, since each
//! revocation is carried out in both while nothing else is; so the stamp of a session means the same in either.

mod folder;
mod locks;
mod moves;
mod steps;
mod store;
mod subjects;

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cloakroom_core::store::memory::{Full, MemoryBuilder, MemoryStore};
use cloakroom_core::store::{StoreError, SweptSession};
use parking_lot::Mutex;

use self::folder::Folder;
use self::locks::Locks;
use crate::embedded::{EmbeddedStore, Options};

/// Sessions in memory, and on disk where that is full; see the module.
pub struct OverflowStore {
    inner: Arc<Inner>,
}

struct Inner {
    memory: MemoryStore,
    /// Before the folder, so that the file is closed when that goes.
    disk: EmbeddedStore,
    locks: Locks,
    /// Whether anything ever went down: until then nobody looks on the disk for a session.
    spilled: AtomicBool,
    down: AtomicU64,
    up: AtomicU64,
    /// Expired sessions that made room for others; the next sweep names them.
    cleared: Mutex<VecDeque<SweptSession>>,
    _folder: Folder,
}

/// What an [`OverflowStore`] has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Sessions that went down to disk.
    pub down: u64,
    /// Sessions that came up again.
    pub up: u64,
}

impl OverflowStore {
    /// Reserves what `memory` says, and opens a folder of its own below `path` for what does not fit. Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// Of kind `denied` where the folder cannot be made, `full` or `unavailable` as the disk is.
    pub fn open(memory: MemoryBuilder, path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = Folder::below(path.as_ref())?;
        let disk = EmbeddedStore::open(folder.path(), Options::default())?;
        Ok(Self {
            inner: Arc::new(Inner {
                // What does not fit goes down, and is not thrown out.
                memory: memory.full(Full::Reject).build(),
                disk,
                locks: Locks::default(),
                spilled: AtomicBool::new(false),
                down: AtomicU64::new(0),
                up: AtomicU64::new(0),
                cleared: Mutex::default(),
                _folder: folder,
            }),
        })
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        Stats {
            down: self.inner.down.load(Ordering::Relaxed),
            up: self.inner.up.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for OverflowStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverflowStore")
            .field("memory", &self.inner.memory)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
