//! One part of the hot map: slots by id, and a clock hand that finds the least recently used.

use std::collections::VecDeque;
use std::sync::Arc;

use cloakroom_core::SessionId;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::Seen;
use crate::embedded::tables::Touch;

/// What a record costs here besides its row: the decoded form, its allocations, slot and ring.
const OVERHEAD: usize = 1024;

pub(super) enum State {
    /// As committed.
    Ready(Seen),
    /// A reader is fetching it; only he may fill it.
    Filling(u64),
    /// In the transaction under way.
    Writing,
    /// Ends with the transaction under way.
    Ending,
}

pub(super) struct Slot {
    pub(super) state: State,
    used: bool,
    ringed: bool,
}

pub(super) struct Shard {
    pub(super) slots: HashMap<SessionId, Slot, RandomState>,
    pub(super) touches: HashMap<SessionId, Touch, RandomState>,
    ring: VecDeque<SessionId>,
    bytes: usize,
    limit: usize,
}

impl Shard {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            slots: HashMap::default(),
            touches: HashMap::default(),
            ring: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    pub(super) fn hit(&mut self, id: SessionId) -> Option<Seen> {
        let slot = self.slots.get_mut(&id)?;
        let State::Ready(seen) = &slot.state else {
            return None;
        };
        slot.used = true;
        Some(seen.clone())
    }

    /// A placeholder for a reader, if nobody else is at work on `id`.
    pub(super) fn placeholder(&mut self, id: SessionId, token: impl Fn() -> u64) -> Option<u64> {
        if self.limit == 0 || self.slots.contains_key(&id) {
            return None;
        }
        let token = token();
        self.slots.insert(
            id,
            Slot {
                state: State::Filling(token),
                used: false,
                ringed: false,
            },
        );
        Some(token)
    }

    pub(super) fn fill(&mut self, id: SessionId, token: u64, found: Option<&Seen>) {
        let mine = matches!(
            self.slots.get(&id),
            Some(Slot { state: State::Filling(there), .. }) if *there == token
        );
        match found {
            Some(seen) if mine => self.ready(id, seen.clone()),
            None if mine => self.vacate(id),
            _ => {}
        }
    }

    pub(super) fn mark(&mut self, id: SessionId, state: State) {
        match self.slots.get_mut(&id) {
            Some(slot) => {
                if let State::Ready(seen) = &slot.state {
                    self.bytes -= cost(seen);
                }
                slot.state = state;
            }
            None => {
                self.slots.insert(
                    id,
                    Slot {
                        state,
                        used: false,
                        ringed: false,
                    },
                );
            }
        }
    }

    pub(super) fn vacate(&mut self, id: SessionId) {
        if let Some(slot) = self.slots.remove(&id)
            && let State::Ready(seen) = &slot.state
        {
            self.bytes -= cost(seen);
        }
        self.tidy_ring();
    }

    pub(super) fn ready(&mut self, id: SessionId, mut seen: Seen) {
        if let Some(touch) = self.touches.get(&id) {
            fold(&mut seen, *touch);
        }
        let (used, ringed) = self
            .slots
            .get(&id)
            .map_or((false, false), |slot| (slot.used, slot.ringed));
        self.mark(id, State::Filling(0));
        self.bytes += cost(&seen);
        self.slots.insert(
            id,
            Slot {
                state: State::Ready(seen),
                used,
                ringed: true,
            },
        );
        if !ringed {
            self.ring.push_back(id);
        }
        self.evict();
    }

    /// Brings a noted touch to where readers look; a reader who is fetching has read without it, so he may not fill.
    pub(super) fn fold(&mut self, id: SessionId, touch: Touch) {
        match self.slots.get_mut(&id).map(|slot| &mut slot.state) {
            Some(State::Ready(seen)) => fold(seen, touch),
            Some(State::Filling(_)) => self.vacate(id),
            _ => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.ring.clear();
        self.bytes = 0;
    }

    fn evict(&mut self) {
        while self.bytes > self.limit {
            let Some(id) = self.ring.pop_front() else {
                return;
            };
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            match &slot.state {
                State::Ready(_) if slot.used => {
                    slot.used = false;
                    self.ring.push_back(id);
                }
                State::Ready(seen) => {
                    self.bytes -= cost(seen);
                    self.slots.remove(&id);
                }
                // Somebody is at work on it; it gets its place in the ring back when he is done.
                _ => slot.ringed = false,
            }
        }
    }

    /// Ended sessions leave their place in the ring behind; without pressure the hand never comes by.
    fn tidy_ring(&mut self) {
        if self.ring.len() > 2 * self.slots.len() + 64 {
            let slots = &self.slots;
            let mut kept = HashSet::<SessionId, RandomState>::default();
            self.ring
                .retain(|id| slots.contains_key(id) && kept.insert(*id));
        }
    }
}

fn fold(seen: &mut Seen, touch: Touch) {
    let record = &seen.record;
    if touch.security == record.security.version {
        let later = record.activity.later(touch.activity);
        if later != record.activity {
            Arc::make_mut(&mut seen.record).activity = later;
        }
    }
}

fn cost(seen: &Seen) -> usize {
    seen.bytes + OVERHEAD
}
