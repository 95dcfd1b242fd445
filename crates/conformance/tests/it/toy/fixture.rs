//! The toy under test.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_conformance::{Fixture, ManualClock, Offered};
use cloakroom_core::{SessionId, Timestamp};

use super::state::locked;
use super::{Flaw, Toy};

/// A toy with the flaw of that number.
pub(crate) struct ToyFixture<const FLAW: u8> {
    store: Arc<Toy>,
    clock: ManualClock,
}

/// The flaw of that number.
fn flaw(number: u8) -> Flaw {
    *Flaw::ALL
        .iter()
        .find(|flaw| **flaw as u8 == number)
        .expect("a flaw of that number")
}

impl<const FLAW: u8> Fixture for ToyFixture<FLAW> {
    type Store = Toy;
    type Registry = Toy;

    async fn open() -> Self {
        Self {
            store: Arc::new(Toy::new(flaw(FLAW))),
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
