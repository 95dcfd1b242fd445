//! Keys that were looked up lately, so that a request costs no registry access.

use super::ApiKey;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// The most keys that are remembered.
const MOST: usize = 1024;

type Named = Arc<(String, ApiKey)>;

/// Keys by their public id. Only keys that exist are remembered, so strangers cannot fill it.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    generation: u64,
    by_id: HashMap<Box<str>, Named>,
}

/// Says since when a reader has been looking.
#[derive(Debug)]
pub(super) struct Ticket(u64);

impl Known {
    /// The key of this id, or the ticket to remember it with.
    pub(super) fn find(&self, id: &str) -> Result<Named, Ticket> {
        let state = self.0.lock();
        let found = state.by_id.get(id).map(Arc::clone);
        found.ok_or(Ticket(state.generation))
    }

    /// Remembers a key, unless anything was forgotten since the ticket: a slow reader must not bring back a revoked key.
    pub(super) fn keep(&self, ticket: Ticket, id: &str, key: Named) {
        let mut state = self.0.lock();
        if state.generation != ticket.0 {
            return;
        }
        if state.by_id.len() >= MOST {
            state.by_id.clear();
        }
        state.by_id.insert(id.into(), key);
    }

    /// Forgets all.
    pub(super) fn forget(&self) {
        let mut state = self.0.lock();
        state.generation += 1;
        state.by_id.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_brings_nothing_back() {
        let known = Known::default();
        let key = Arc::new((String::new(), ApiKey::draw(Vec::new(), None, 0).key));
        let ticket = known.find("a").unwrap_err();
        known.forget();
        known.keep(ticket, "a", Arc::clone(&key));
        let ticket = known.find("a").unwrap_err();
        known.keep(ticket, "a", key);
        assert!(known.find("a").is_ok());
    }
}
