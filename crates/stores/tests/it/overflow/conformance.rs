//! The suite on a memory with two places: nearly everything is on disk, and goes up and down all the time.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::{Fixture, ManualClock};
use cloakroom_core::Timestamp;
use cloakroom_core::store::memory::{MIB, MemoryRegistry, MemoryStore};
use cloakroom_stores::overflow::OverflowStore;
use tempfile::TempDir;

struct Overflow {
    store: Arc<OverflowStore>,
    clock: ManualClock,
    _folder: TempDir,
}

impl Fixture for Overflow {
    type Store = OverflowStore;
    type Registry = MemoryRegistry;

    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryStore::builder().reserve(MIB).max_sessions(2);
        Self {
            store: Arc::new(OverflowStore::open(memory, folder.path()).unwrap()),
            clock: ManualClock::default(),
            _folder: folder,
        }
    }

    fn store(&self) -> Arc<OverflowStore> {
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

cloakroom_conformance::suite!(Overflow);
