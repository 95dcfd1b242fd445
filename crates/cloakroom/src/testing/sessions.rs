//! Sessions for tests.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cloakroom_core::lifecycle::{Begin, Proof};
use cloakroom_core::store::memory::{MIB, MemoryStore};
use cloakroom_core::store::{ReplayGuard, Store, SubjectIndex};
use cloakroom_core::{SessionToken, Subject, Timestamp};

use crate::service::{Builder, Clock, Sessions};

/// A clock that only tests move. It starts in January 2027.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_800_000_000_000))
    }
}

impl TestClock {
    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// [`Sessions`] for tests: in memory, by a clock that stands still until [`TestSessions::advance`].
///
/// The helpers panic where something goes wrong, as tests do.
#[derive(Debug, Clone)]
pub struct TestSessions {
    sessions: Sessions,
    clock: Arc<TestClock>,
}

impl Default for TestSessions {
    fn default() -> Self {
        Self::new()
    }
}

impl TestSessions {
    /// By the default rules.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// By your own rules: `TestSessions::with(|builder| builder.policy(…))`.
    pub fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(MemoryStore::reserve(16 * MIB), settings)
    }

    /// On a store of your own.
    pub fn on<S: Store + SubjectIndex + ReplayGuard>(
        store: S,
        settings: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        let builder = Sessions::builder(store)
            .clock(clock.clone())
            .watch_every(Duration::from_millis(10));
        Self {
            sessions: settings(builder).build(),
            clock,
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// A new session of `subject`: the token that opens it.
    ///
    /// # Panics
    /// Where `subject` cannot be one, or the store fails.
    #[expect(clippy::expect_used, reason = "a helper for tests")]
    pub async fn login(&self, subject: &str) -> SessionToken {
        let subject = Subject::new(subject).expect("a subject");
        let admitted = self.sessions.admitted().await.expect("the store answers");
        let begin = Begin {
            proof: Some(Proof::of(subject)),
            admitted,
            ..Begin::default()
        };
        self.sessions
            .create(&begin)
            .await
            .expect("a session begins")
            .token
    }

    /// A browser in front of `service`, with a cookie jar of its own.
    #[cfg(feature = "axum")]
    pub fn client<S>(&self, service: S) -> super::Client<S> {
        super::Client::new(service).of(self.clone())
    }
}

impl Deref for TestSessions {
    type Target = Sessions;

    fn deref(&self) -> &Sessions {
        &self.sessions
    }
}
