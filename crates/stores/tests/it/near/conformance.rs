//! The suite on two nodes, each with a near cache, whose channel delivers before the writer is answered.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::{Fixture, ManualClock};
use cloakroom_core::Timestamp;
use cloakroom_core::store::memory::MemoryRegistry;
use cloakroom_stores::near_cache::NearCache;

use super::told::Told;

struct Near {
    store: Arc<Told>,
    nodes: [Arc<NearCache<Told>>; 2],
    clock: ManualClock,
}

impl Fixture for Near {
    type Store = NearCache<Told>;
    type Registry = MemoryRegistry;

    async fn open() -> Self {
        let store = Told::new();
        let node = || {
            let cache = Arc::new(NearCache::new(Arc::clone(&store), 1 << 20));
            let channel = cache.sink().open(true);
            store.listen(move |word| word.deliver(&channel));
            cache
        };
        Self {
            nodes: [node(), node()],
            store,
            clock: ManualClock::default(),
        }
    }

    fn store(&self) -> Arc<NearCache<Told>> {
        Arc::clone(&self.nodes[0])
    }

    fn registry(&self) -> Option<Arc<MemoryRegistry>> {
        None
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let _ = &self.store;
    }

    fn second_store(&self) -> Option<Arc<NearCache<Told>>> {
        Some(Arc::clone(&self.nodes[1]))
    }
}

cloakroom_conformance::suite!(Near);
