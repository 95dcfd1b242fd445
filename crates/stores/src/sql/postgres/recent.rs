//! Records that were read or written a moment ago: what the next update is computed from, without reading again.
//!
//! Nothing is decided by them: an update carries version and checksum of what it was computed from, and where the row
//! has others, nothing is written. A touch believes one for a second, which is how long a touch may be late anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{Record, SessionId, Timestamp};
use parking_lot::Mutex;

const PLACES: usize = 4096;
/// Larger records are read again, so that all together stay within 64 MiB.
const DATA_MAX: usize = 16 * 1024;
/// How long a touch believes that a session which was live still is.
const FRESH: Duration = Duration::from_secs(1);

/// A record with its checksum in the database.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) record: Arc<Record>,
    pub(super) crc: i64,
    /// When it was read and seen to be live.
    pub(super) live: Option<Seen>,
}

/// A sight of a live session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    at: Instant,
    /// The server's time, before the offset of tests.
    server: Timestamp,
    /// Revocations this node knew of.
    revocations: u64,
}

/// The records, by session id; each place holds the last one that fell into it.
pub(super) struct Recent {
    places: Box<[Mutex<Option<Base>>]>,
    revocations: AtomicU64,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::new(None)).collect(),
            revocations: AtomicU64::new(0),
        }
    }

    fn place(&self, id: SessionId) -> &Mutex<Option<Base>> {
        let [first, second, ..] = *id.as_bytes();
        &self.places[usize::from(u16::from_le_bytes([first, second])) % PLACES]
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Base> {
        let place = self.place(id).lock();
        place.as_ref().filter(|base| base.record.id == id).cloned()
    }

    pub(super) fn put(&self, base: Base) {
        let fits = base.record.data.encoded().len() <= DATA_MAX;
        let mut place = self.place(base.record.id).lock();
        *place = fits.then_some(base);
    }

    pub(super) fn forget(&self, id: SessionId) {
        let mut place = self.place(id).lock();
        if place.as_ref().is_some_and(|base| base.record.id == id) {
            *place = None;
        }
    }

    /// Sessions that were live may not be any more.
    pub(super) fn revoked(&self) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
    }

    /// How many revocations this node knows of: to be read before a session is.
    pub(super) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    pub(super) fn seen(server: Timestamp, revocations: u64) -> Seen {
        Seen {
            at: Instant::now(),
            server,
            revocations,
        }
    }

    /// The server's time now, if `base` was seen so lately that it can still be believed.
    pub(super) fn believed(&self, base: &Base) -> Option<Timestamp> {
        let seen = base.live?;
        let age = seen.at.elapsed();
        let fresh = age < FRESH && seen.revocations == self.revocations();
        fresh.then(|| seen.server.plus(age))
    }
}
