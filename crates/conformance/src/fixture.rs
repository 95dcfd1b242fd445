//! What the suite needs of a store's author.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cloakroom_core::store::{Registry, ReplayGuard, Store, SubjectIndex};
use cloakroom_core::{SessionId, Timestamp};

/// Whether a fixture could do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It did.
    Done,
    /// It cannot; the case is skipped, or failed where the store's profile promises it.
    Not,
}

/// One empty store under test, and what can be done to it.
///
/// Every case opens a fixture of its own, so cases may run in parallel; `open` must give each its own data. A fixture is
/// test code: where it cannot do its work it panics. It runs inside a multi-threaded tokio runtime.
pub trait Fixture: Sized + Send + Sync + 'static {
    /// The store.
    type Store: Store + SubjectIndex + ReplayGuard;
    /// The registry that comes with it. A store without one names another store's and answers `None` from
    /// [`Fixture::registry`].
    type Registry: Registry;

    /// A new fixture with nothing in it.
    fn open() -> impl Future<Output = Self> + Send;

    /// The store.
    fn store(&self) -> Arc<Self::Store>;

    /// Its registry, if it has one.
    fn registry(&self) -> Option<Arc<Self::Registry>>;

    /// The time by which the store judges deadlines now: what the suite passes as `now`. [`ManualClock`] is one way to
    /// have it.
    fn now(&self) -> Timestamp;

    /// Lets time pass, for the suite and for a store with a clock of its own.
    fn advance(&self, by: Duration) -> impl Future<Output = ()> + Send;

    /// Kills the store without a word (no flush, no drop that writes), and opens it again on what was durable. The suite
    /// holds no handle any more when it calls this. A store that declares `durable` must offer it.
    fn crash_and_reopen(&mut self) -> impl Future<Output = Offered> + Send {
        async { Offered::Not }
    }

    /// Overwrites stored bytes of the record `id` so that they cannot be read, past every cache (it may reopen).
    fn damage(&mut self, id: SessionId) -> impl Future<Output = Offered> + Send {
        let _ = id;
        async { Offered::Not }
    }

    /// Puts the store out of reach (`true`) and back (`false`).
    fn cut_off(&mut self, off: bool) -> impl Future<Output = Offered> + Send {
        let _ = off;
        async { Offered::Not }
    }

    /// Another handle on the same data, as another process would have it. A store that declares `shared` must offer it.
    fn second_store(&self) -> Option<Arc<Self::Store>> {
        None
    }

    /// Another handle on the same registry, as another process would have it.
    fn second_registry(&self) -> Option<Arc<Self::Registry>> {
        None
    }
}

/// A clock that tests move: for fixtures of stores that judge by the caller's `now`.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl Default for ManualClock {
    /// Starts at 2027-01-15T08:00:00Z.
    fn default() -> Self {
        Self(AtomicI64::new(1_800_000_000_000))
    }
}

impl ManualClock {
    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}
