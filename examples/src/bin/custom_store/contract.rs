//! The proof: the suite that every store passes, run against ours.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::Timestamp;
use cloakroom::core::store::memory::MemoryRegistry;
use cloakroom_conformance::{Fixture, ManualClock};

use crate::store::MapStore;

struct Map {
    store: Arc<MapStore>,
    clock: ManualClock,
}

impl Fixture for Map {
    type Store = MapStore;
    type Registry = MemoryRegistry;

    async fn open() -> Self {
        Self {
            store: Arc::default(),
            clock: ManualClock::default(),
        }
    }

    fn store(&self) -> Arc<MapStore> {
        Arc::clone(&self.store)
    }

    fn registry(&self) -> Option<Arc<MemoryRegistry>> {
        None
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

cloakroom_conformance::suite!(Map);
