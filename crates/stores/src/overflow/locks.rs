//! The locks of the overflow, always taken in this order: everything, subject, session, moves.
//!
//! Whoever moves other sessions while he holds locks only tries theirs, so nobody waits in a circle.

use std::sync::Arc;

use cloakroom_core::{Record, SessionId};
use foldhash::fast::FixedState;
use std::hash::BuildHasher as _;
use tokio::sync::{
    Mutex, MutexGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

const SESSIONS: usize = 1024;
const SUBJECTS: usize = 64;

pub(super) struct Locks {
    everything: RwLock<()>,
    subjects: Box<[Mutex<()>]>,
    sessions: Box<[Arc<RwLock<()>>]>,
    moves: RwLock<()>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            everything: RwLock::new(()),
            subjects: (0..SUBJECTS).map(|_| Mutex::default()).collect(),
            sessions: (0..SESSIONS).map(|_| Arc::default()).collect(),
            moves: RwLock::new(()),
        }
    }
}

impl Locks {
    /// For an operation on single sessions.
    pub(super) async fn one(&self) -> RwLockReadGuard<'_, ()> {
        self.everything.read().await
    }

    /// For one that must see both places as they are at one moment.
    pub(super) async fn all(&self) -> RwLockWriteGuard<'_, ()> {
        self.everything.write().await
    }

    /// For a login of `record`'s subject; nothing for an anonymous session.
    pub(super) async fn subject(&self, subject: Option<&str>) -> Option<MutexGuard<'_, ()>> {
        let hash = FixedState::default().hash_one(subject?);
        let place = usize::try_from(hash % SUBJECTS as u64).unwrap_or(0);
        Some(self.subjects[place].lock().await)
    }

    /// For a read of a session.
    pub(super) async fn read(&self, id: SessionId) -> RwLockReadGuard<'_, ()> {
        self.session(id).read().await
    }

    /// For a write to a session.
    pub(super) async fn write(&self, id: SessionId) -> RwLockWriteGuard<'_, ()> {
        self.session(id).write().await
    }

    /// For a move, unless somebody is at work on the session.
    pub(super) fn try_move(&self, id: SessionId) -> Option<OwnedRwLockWriteGuard<()>> {
        Arc::clone(self.session(id)).try_write_owned().ok()
    }

    /// While a session changes its place.
    pub(super) async fn moving(&self) -> RwLockReadGuard<'_, ()> {
        self.moves.read().await
    }

    /// While none may.
    pub(super) async fn still(&self) -> RwLockWriteGuard<'_, ()> {
        self.moves.write().await
    }

    fn session(&self, id: SessionId) -> &Arc<RwLock<()>> {
        let bytes = id.as_bytes();
        &self.sessions[usize::from(u16::from_le_bytes([bytes[14], bytes[15]])) % SESSIONS]
    }
}

/// Whose login a record is.
pub(super) fn subject_of(record: &Record) -> Option<&str> {
    record
        .security
        .subject
        .as_ref()
        .map(|subject| subject.as_str())
}
