//! How a near cache hears what other nodes change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use cloakroom_core::SessionId;
use cloakroom_core::store::{LAG, Scope};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::shared::Shared;

/// Opens channels to a near cache, as long as that lives.
#[derive(Debug, Clone)]
pub struct Sink {
    shared: Weak<Shared>,
}

impl Sink {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
        }
    }

    /// Whether the near cache is gone, so that nobody needs to be told anything.
    pub fn is_closed(&self) -> bool {
        self.shared.strong_count() == 0
    }

    /// Opens a channel: from now on it tells whatever is committed. It takes the place of the one before.
    ///
    /// `whole` says whether it tells every change; where it tells only denials, a record is near for at most [`LAG`] all
    /// the same, and what is denied is gone at once.
    pub fn open(&self, whole: bool) -> Channel {
        let number = self
            .shared
            .upgrade()
            .map_or(0, |shared| shared.line.open(whole));
        Channel {
            shared: Weak::clone(&self.shared),
            number,
        }
    }
}

/// One connection on which changes are told in the order of their commits. Dropping it closes it.
#[derive(Debug)]
pub struct Channel {
    shared: Weak<Shared>,
    number: u64,
}

impl Channel {
    /// The session was written, touched or ended.
    pub fn session(&self, id: SessionId) {
        if let Some(shared) = self.shared.upgrade() {
            shared.forget(id);
        }
    }

    /// Sessions of `scope` were revoked.
    pub fn denied(&self, scope: &Scope) {
        if let Some(shared) = self.shared.upgrade() {
            shared.denials.note(scope);
        }
    }

    /// What changed cannot be told one by one.
    pub fn everything(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.forget_all();
        }
    }

    /// Everything that was committed before `at` has been told.
    ///
    /// Say so when the answer to a heartbeat arrives that was *sent* at `at` on the same ordered connection.
    pub fn proven(&self, at: Instant) {
        if let Some(shared) = self.shared.upgrade() {
            shared.line.proven(self.number, at);
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.line.close(self.number);
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Current {
    number: u64,
    whole: bool,
    proven: Option<Instant>,
}

/// The channel that is open, if any.
#[derive(Debug, Default)]
pub(super) struct Line {
    current: RwLock<Current>,
    numbers: AtomicU64,
}

impl Line {
    fn open(&self, whole: bool) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        *self.current.write() = Current {
            number,
            whole,
            proven: None,
        };
        number
    }

    fn close(&self, number: u64) {
        let mut current = self.current.write();
        if current.number == number {
            *current = Current::default();
        }
    }

    fn proven(&self, number: u64, at: Instant) {
        let mut current = self.current.write();
        if current.number == number {
            current.proven = current.proven.max(Some(at));
        }
    }

    /// The channel that is open; 0 for none.
    pub(super) fn number(&self) -> u64 {
        self.current.read().number
    }

    /// Whether everything since a load under `channel` was told until at most [`LAG`] ago.
    pub(super) fn covers(&self, channel: u64, now: Instant) -> bool {
        let current = *self.current.read();
        let proven = |at: Instant| now.saturating_duration_since(at) < LAG;
        channel != 0
            && current.number == channel
            && current.whole
            && current.proven.is_some_and(proven)
    }
}
