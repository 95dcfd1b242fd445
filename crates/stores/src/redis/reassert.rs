//! What must not be lost is said again to a server that may have been promoted without it.
//!
//! Replication is asynchronous. A security write waits for a replica, but that may be too slow, or not the one that is
//! promoted. So each node remembers what it said in the last minute, and says it again when another server, or another
//! run of it, answers for the keys. Everything remembered is monotone: ends, not-befores, later security blocks.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cloakroom_core::SessionId;
use cloakroom_core::record::Epoch;
use parking_lot::Mutex;

use super::keys::Key;
use super::row::Row;

/// How long something is remembered: longer than any failover takes.
const KEEP: Duration = Duration::from_secs(60);
/// How much of it, at most.
const BYTES: usize = 16 * 1024 * 1024;

/// Something that was said.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// This session has ended.
    Ended(SessionId),
    /// This is the not-before, or the revocation clock, under that key.
    Raised { key: Key, slot: u16, epoch: Epoch },
    /// This security block stands in a session.
    Written(Row),
}

impl Said {
    fn size(&self) -> usize {
        64 + match self {
            Self::Ended(_) => 0,
            Self::Raised { key, .. } => key.len(),
            Self::Written(row) => row.bytes.len() * 2,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    queue: VecDeque<(Instant, Said)>,
    bytes: usize,
}

impl Log {
    pub(super) fn note(&self, said: Said) {
        let now = Instant::now();
        let mut entries = self.0.lock();
        entries.bytes += said.size();
        entries.queue.push_back((now, said));
        while let Some((when, oldest)) = entries.queue.front() {
            if entries.bytes <= BYTES && now.duration_since(*when) <= KEEP {
                break;
            }
            let size = oldest.size();
            entries.queue.pop_front();
            entries.bytes -= size;
        }
    }

    /// What was said in the last minute, the oldest first.
    pub(super) fn all(&self) -> Vec<Said> {
        let entries = self.0.lock();
        let young = entries
            .queue
            .iter()
            .filter(|(when, _)| when.elapsed() <= KEEP);
        young.map(|(_, said)| said.clone()).collect()
    }
}
