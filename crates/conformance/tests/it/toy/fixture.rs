//! The toy under test.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_conformance::{Fixture, ManualClock, Offered};
use cloakroom_core::{SessionId, Timestamp};

use super::state::locked;
use super::{Flaw, Toy};

thread_local! {
    /// The flaw of the toys that are opened next on this thread. Not a type parameter: the suite would be compiled anew
    /// for each flaw.
    static FLAW: Cell<Flaw> = const { Cell::new(Flaw::No) };
}

/// A toy, correct unless [`with_flaw`] says otherwise.
pub(crate) struct ToyFixture {
    store: Arc<Toy>,
    clock: ManualClock,
}

/// Runs `work` with fixtures that have `flaw`.
pub(crate) fn with_flaw<T>(flaw: Flaw, work: impl FnOnce() -> T) -> T {
    FLAW.set(flaw);
    let done = work();
    FLAW.set(Flaw::No);
    done
}

impl Fixture for ToyFixture {
    type Store = Toy;
    type Registry = Toy;

    async fn open() -> Self {
        Self {
            store: Arc::new(Toy::new(FLAW.get())),
            clock: ManualClock::default(),
        }
    }

    fn store(&self) -> Arc<Toy> {
        Arc::clone(&self.store)
    }

    fn registry(&self) -> Option<Arc<Toy>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        let shared = &self.store.shared;
        let durable = locked(&shared.durable).clone();
        *locked(&shared.current) = durable;
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        let garbage = Bytes::from_static(b"\x9f\xff\x00 not a record");
        let mut state = locked(&self.store.shared.current);
        state.sessions.insert(id, garbage);
        Offered::Done
    }

    async fn cut_off(&mut self, off: bool) -> Offered {
        self.store.shared.off.store(off, Ordering::SeqCst);
        Offered::Done
    }

    fn second_store(&self) -> Option<Arc<Toy>> {
        Some(Arc::new(Toy::clone(&self.store)))
    }

    fn second_registry(&self) -> Option<Arc<Toy>> {
        self.second_store()
    }
}
