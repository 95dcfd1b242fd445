//! The memory store and its registry.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::{Fixture, ManualClock};
use cloakroom_core::Timestamp;
use cloakroom_core::store::memory::{MIB, MemoryRegistry, MemoryStore};

/// A store with `MEBIBYTES` reserved: below 8 of them it has one shard, from there on 16.
struct Memory<const MEBIBYTES: usize> {
    store: Arc<MemoryStore>,
    registry: Arc<MemoryRegistry>,
    clock: ManualClock,
}

impl<const MEBIBYTES: usize> Fixture for Memory<MEBIBYTES> {
    type Store = MemoryStore;
    type Registry = MemoryRegistry;

    async fn open() -> Self {
        Self {
            store: Arc::new(MemoryStore::reserve(MEBIBYTES * MIB)),
            registry: Arc::default(),
            clock: ManualClock::default(),
        }
    }

    fn store(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.store)
    }

    fn registry(&self) -> Option<Arc<MemoryRegistry>> {
        Some(Arc::clone(&self.registry))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

mod sharded {
    cloakroom_conformance::suite!(super::Memory<64>);
}

mod small {
    cloakroom_conformance::suite!(super::Memory<4>);
}
