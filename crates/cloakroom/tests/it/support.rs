//! What the tests share.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use cloakroom::core::store::ErrorKind;
use cloakroom::service::Builder;
use cloakroom::testing::Client;
use cloakroom::{MIB, MemoryStore, TestSessions};
use cloakroom_conformance::{Fault, Faults, Faulty, Operation, Target};

/// Sessions on a store that fails on command.
pub(crate) struct Shaky {
    pub(crate) sessions: TestSessions,
    pub(crate) faults: Faults,
}

pub(crate) fn shaky() -> Shaky {
    shaky_with(|builder| builder)
}

pub(crate) fn shaky_with(settings: impl FnOnce(Builder) -> Builder) -> Shaky {
    let store = Faulty::new(MemoryStore::reserve(16 * MIB));
    let faults = store.faults();
    Shaky {
        sessions: TestSessions::on(store, settings),
        faults,
    }
}

impl Shaky {
    /// From now on `operation` fails as if the store were out of reach.
    pub(crate) fn fail(&self, operation: Operation) {
        self.faults
            .add(Fault::error(ErrorKind::Unavailable).on(Target::Only(operation)));
    }

    /// What this client's browser asks of `routes`.
    pub(crate) fn browser(&self, routes: Router) -> Client<Router> {
        self.sessions.client(routes.layer(self.sessions.layer()))
    }

    /// How often each operation was asked for: loads, then writes of any kind.
    pub(crate) fn work(&self) -> (u64, u64) {
        use Operation::{Create, Delete, Load, Touch, Update};
        let writes = [Create, Update, Touch, Delete];
        (
            self.faults.calls(Load),
            writes
                .into_iter()
                .map(|operation| self.faults.calls(operation))
                .sum(),
        )
    }
}

/// Waits for something that must happen, and fails the test where it does not.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("it happens within 10 s")
}

/// Counts log lines that are on by default: info and louder.
#[derive(Clone, Default)]
pub(crate) struct LineCounter(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl LineCounter {
    pub(crate) fn lines(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl tracing::Subscriber for LineCounter {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
