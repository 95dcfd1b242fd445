//! Everything under the store's one lock, and the accounting that every change goes through.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap as FastMap;

use super::index::Index;
use super::account;
use crate::store::memory::{Full, Stats};
use crate::record::{Activity, Record};
use crate::store::{ErrorKind, Loaded, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

pub(in crate::store::memory) struct State {
    pub(in crate::store::memory) slots: FastMap<SessionId, Slot, foldhash::fast::RandomState>,
    pub(in crate::store::memory) index: Index,
    /// Sessions by deadline: what a sweep clears first.
    pub(in crate::store::memory) deadlines: BTreeSet<(Timestamp, SessionId)>,
    /// Anonymous sessions by last use: what goes first when it is full.
    by_use: BTreeMap<u64, SessionId>,
    uses: u64,
    pub(in crate::store::memory) replay: HashMap<Box<[u8]>, Timestamp>,
    pub(in crate::store::memory) replay_until: BTreeSet<(Timestamp, Box<[u8]>)>,
    /// The longest life of any session there ever was: how long a not-before must be kept.
    pub(in crate::store::memory) longest: Timestamp,
    pub(in crate::store::memory) used: usize,
    reserve: usize,
    max_sessions: usize,
    full: Full,
    evicted: u64,
}

pub(in crate::store::memory) struct Slot {
    encoded: Bytes,
    pub(in crate::store::memory) activity: Activity,
    pub(in crate::store::memory) deadline: Timestamp,
    /// Its place in the queue by use; `None` with a subject.
    place: Option<u64>,
    cost: usize,
}

impl State {
    pub(in crate::store::memory) fn new(reserve: usize, max_sessions: usize, full: Full) -> Self {
        Self {
            slots: FastMap::default(),
            index: Index::default(),
            deadlines: BTreeSet::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            replay: HashMap::new(),
            replay_until: BTreeSet::new(),
            longest: Timestamp::EPOCH,
            used: 0,
            reserve,
            max_sessions,
            full,
            evicted: 0,
        }
    }

    pub(in crate::store::memory) fn stats(&self) -> Stats {
        Stats {
            sessions: self.slots.len(),
            anonymous: self.by_use.len(),
            used: self.used,
            reserved: self.reserve,
            evicted: self.evicted,
        }
    }

    /// The record as it stands, touches included.
    pub(in crate::store::memory) fn record(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let Some(slot) = self.slots.get(&id) else {
            return Ok(None);
        };
        let mut record = Record::decode(id, &slot.encoded)?;
        record.activity = slot.activity;
        Ok(Some(record))
    }

    pub(in crate::store::memory) fn loaded(&self, record: Record) -> Loaded {
        let not_before = self.index.not_before(&record.security);
        Loaded {
            record: Arc::new(record),
            not_before,
            store_now: None,
        }
    }

    /// Puts a record in, in place of an older one with its id, if there is room or room can be made.
    pub(in crate::store::memory) fn put(&mut self, record: &Record, now: Timestamp) -> Result<(), StoreError> {
        let encoded = record.encode();
        let cost = account::session(record, encoded.len());
        let old = self.slots.get(&record.id).map(|slot| slot.cost);
        self.make_room(
            cost.saturating_sub(old.unwrap_or(0)),
            usize::from(old.is_none()),
            record.id,
            now,
        )?;
        self.take(record.id)?;
        self.longest = self.longest.max(record.security.hard_cap);
        let place = record
            .security
            .subject
            .is_none()
            .then(|| self.next_use(record.id));
        let deadline = record.deadline();
        self.deadlines.insert((deadline, record.id));
        self.index.add(record.id, &record.security);
        self.used += cost;
        let slot = Slot {
            encoded,
            activity: record.activity,
            deadline,
            place,
            cost,
        };
        self.slots.insert(record.id, slot);
        Ok(())
    }

    /// Takes a record out with all its entries.
    pub(in crate::store::memory) fn take(&mut self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let Some(record) = self.record(id)? else {
            return Ok(None);
        };
        if let Some(slot) = self.slots.remove(&id) {
            self.deadlines.remove(&(slot.deadline, id));
            slot.place.map(|place| self.by_use.remove(&place));
            self.used -= slot.cost;
        }
        self.index.remove(id, &record.security);
        Ok(Some(record))
    }

    /// Notes a use in the queue, and a new deadline.
    pub(in crate::store::memory) fn used_again(&mut self, id: SessionId, activity: Activity, deadline: Timestamp) {
        let place = self.slots.get(&id).and_then(|slot| slot.place);
        let place = place.map(|place| {
            self.by_use.remove(&place);
            self.next_use(id)
        });
        if let Some(slot) = self.slots.get_mut(&id) {
            self.deadlines.remove(&(slot.deadline, id));
            self.deadlines.insert((deadline, id));
            (slot.activity, slot.deadline, slot.place) = (activity, deadline, place);
        }
    }

    fn next_use(&mut self, id: SessionId) -> u64 {
        self.uses += 1;
        self.by_use.insert(self.uses, id);
        self.uses
    }

    /// Makes room for `bytes` and `sessions` more, sparing the session they are for.
    pub(in crate::store::memory) fn make_room(
        &mut self,
        bytes: usize,
        sessions: usize,
        spare: SessionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        while !self.fits(bytes, sessions) {
            let expired = self
                .deadlines
                .first()
                .filter(|(deadline, id)| *deadline <= now && *id != spare);
            let victim = match (expired, self.full) {
                (Some((_, id)), _) => *id,
                (None, Full::Evict) => {
                    let victim = self.by_use.values().copied().find(|id| *id != spare);
                    self.evicted += u64::from(victim.is_some());
                    victim.ok_or(FULL)?
                }
                (None, Full::Reject) => return Err(FULL),
            };
            self.take(victim)?;
        }
        Ok(())
    }

    fn fits(&self, bytes: usize, sessions: usize) -> bool {
        self.used + bytes <= self.reserve && self.slots.len() + sessions <= self.max_sessions
    }
}

const FULL: StoreError = StoreError::new(
    ErrorKind::Full,
    "the reserved memory is taken by live sessions",
);
