//! The records that are near, and the loads under way.
//!
//! A slow load never puts an old record over a newer one: whatever drops or replaces a record also takes the flight off
//! the list, and only a flight that is still listed may put down what it brought. Both happen under the same lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{ErrorKind, LAG, Loaded, StoreError};
use cloakroom_core::{Activity, Record, SessionId, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Stats;
use super::channel::Line;
use super::denials::Denials;

const SHARDS: usize = 64;
/// What a record costs here besides its data: the decoded form, its allocations and the table.
const OVERHEAD: u64 = 1024;

/// A record that is near.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    record: Arc<Record>,
    not_before: Epoch,
    store_now: Option<Timestamp>,
    since: Since,
}

/// From when on changes must have been told for a record to be right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// Its load began then.
    as_of: Instant,
    /// The channel that was open then.
    channel: u64,
    /// Denials that were known then.
    denials: u64,
}

impl Kept {
    fn of(loaded: Loaded, since: Since) -> Self {
        Self {
            record: loaded.record,
            not_before: loaded.not_before,
            store_now: loaded.store_now,
            since,
        }
    }

    /// As the store would answer it `now`: its clock has gone on meanwhile.
    pub(super) fn loaded(&self, now: Instant) -> Loaded {
        let gone = now.saturating_duration_since(self.since.as_of);
        Loaded {
            record: Arc::clone(&self.record),
            not_before: self.not_before,
            store_now: self.store_now.map(|then| then.plus(gone)),
        }
    }
}

/// What became of a load that several may wait for.
#[derive(Debug, Clone)]
pub(super) enum Landed {
    Found(Kept),
    Absent,
    Failed(Arc<StoreError>),
}

/// A load to be made.
pub(super) struct Flight {
    number: u64,
    since: Since,
    landed: watch::Sender<Option<Landed>>,
}

/// Where what became of a load is told.
pub(super) type Landing = watch::Receiver<Option<Landed>>;

impl Flight {
    pub(super) fn landing(&self) -> Landing {
        self.landed.subscribe()
    }
}

/// A place in a load.
pub(super) enum Seat {
    /// Somebody is at it.
    Join(Landing),
    /// Nobody is: the caller makes it.
    Lead(Flight),
}

struct Listed {
    number: u64,
    as_of: Instant,
    landing: Landing,
}

type Flights = HashMap<SessionId, Listed, RandomState>;

#[derive(Clone)]
struct Bytes;

impl Weighter<SessionId, Kept> for Bytes {
    fn weight(&self, _: &SessionId, kept: &Kept) -> u64 {
        OVERHEAD + kept.record.data.encoded().len() as u64
    }
}

/// See the module.
pub(super) struct Shared {
    kept: Cache<SessionId, Kept, Bytes>,
    flights: Box<[Mutex<Flights>]>,
    numbers: AtomicU64,
    pub(super) line: Line,
    pub(super) denials: Denials,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Shared {
    pub(super) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / OVERHEAD).unwrap_or(usize::MAX);
        Self {
            kept: Cache::with_weighter(items, bytes, Bytes),
            flights: (0..SHARDS).map(|_| Mutex::default()).collect(),
            numbers: AtomicU64::new(1),
            line: Line::default(),
            denials: Denials::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    fn flights(&self, id: SessionId) -> MutexGuard<'_, Flights> {
        // Ids are random; any byte spreads them evenly.
        self.flights[usize::from(id.as_bytes()[15]) % SHARDS].lock()
    }

    /// The record, if what is here may still be answered.
    pub(super) fn hit(&self, id: SessionId, now: Instant) -> Option<Loaded> {
        let kept = self.kept.get(&id)?;
        let since = &kept.since;
        let young = now.saturating_duration_since(since.as_of) < LAG;
        if !(young || self.line.covers(since.channel, now)) {
            return None;
        }
        if self.denials.reach(&kept.record, since.denials) {
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(kept.loaded(now))
    }

    /// What has to be told from here on for something that is asked for now.
    fn since(&self, now: Instant) -> Since {
        Since {
            as_of: now,
            channel: self.line.number(),
            denials: self.denials.known(),
        }
    }

    pub(super) fn board(&self, id: SessionId, now: Instant) -> Seat {
        let mut flights = self.flights(id);
        if let Some(listed) = flights.get(&id)
            && now.saturating_duration_since(listed.as_of) < LAG
        {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return Seat::Join(listed.landing.clone());
        }
        Seat::Lead(self.list(&mut flights, id, now))
    }

    /// A load of its own, which takes the place of one that is under way.
    pub(super) fn depart(&self, id: SessionId, now: Instant) -> Flight {
        self.list(&mut self.flights(id), id, now)
    }

    fn list(&self, flights: &mut Flights, id: SessionId, now: Instant) -> Flight {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let flight = Flight {
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            since: self.since(now),
            landed: watch::Sender::new(None),
        };
        let listed = Listed {
            number: flight.number,
            as_of: now,
            landing: flight.landing(),
        };
        flights.insert(id, listed);
        flight
    }

    pub(super) fn land(
        &self,
        id: SessionId,
        flight: Flight,
        answer: Result<Option<Loaded>, StoreError>,
    ) {
        let landed = match answer {
            Ok(Some(loaded)) => Landed::Found(Kept::of(loaded, flight.since)),
            Ok(None) => Landed::Absent,
            Err(error) => Landed::Failed(Arc::new(error)),
        };
        {
            let mut flights = self.flights(id);
            let listed = flights.get(&id);
            if listed.is_some_and(|listed| listed.number == flight.number) {
                flights.remove(&id);
                match &landed {
                    Landed::Found(kept) => self.kept.insert(id, kept.clone()),
                    Landed::Absent => drop(self.kept.remove(&id)),
                    Landed::Failed(_) => {}
                }
            }
        }
        flight.landed.send_replace(Some(landed));
    }

    /// Something happened to `id`, or may have.
    pub(super) fn forget(&self, id: SessionId) {
        let mut flights = self.flights(id);
        flights.remove(&id);
        self.kept.remove(&id);
    }

    /// Everything may have happened.
    pub(super) fn forget_all(&self) {
        for flights in &self.flights {
            flights.lock().clear();
        }
        self.kept.clear();
    }

    /// This node wrote `record`; the not-before is still the one that was read.
    pub(super) fn wrote(&self, record: &Arc<Record>) {
        self.replace(record.id, |kept| {
            let newer = kept.record.version < record.version;
            newer.then(|| Kept {
                record: Arc::clone(record),
                ..kept
            })
        });
    }

    /// This node touched a session.
    pub(super) fn touched(&self, id: SessionId, activity: Activity) {
        self.replace(id, |mut kept| {
            let later = kept.record.activity.later(activity);
            Arc::make_mut(&mut kept.record).activity = later;
            Some(kept)
        });
    }

    /// Puts what `newer` makes of the record in its place; a load under way has read an older one.
    fn replace(&self, id: SessionId, newer: impl FnOnce(Kept) -> Option<Kept>) {
        let mut flights = self.flights(id);
        flights.remove(&id);
        if let Some(kept) = self.kept.peek(&id).and_then(newer) {
            self.kept.insert(id, kept);
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            records: self.kept.len() as u64,
            bytes: self.kept.weight(),
        }
    }
}

pub(super) fn gave_up() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "a shared read of a session gave up")
}
