//! The layers under test: each sets up an application whose one handler plays scripts.

mod axum_session;
mod cloakroom;
mod faulty;
mod tower_sessions;

use std::time::Duration;

use axum::Router;

use crate::browser::Browser;

/// A session layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Cloakroom,
    TowerSessions,
    AxumSession,
}

/// What a scenario wants beside the defaults.
pub(crate) struct Wish {
    pub(crate) idle: Duration,
    pub(crate) absolute: Option<Duration>,
    /// A cookie with the `__Host-` prefix, Secure.
    pub(crate) host_prefix: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(1800),
            absolute: None,
            host_prefix: false,
        }
    }
}

/// Which operations of the store fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    Loads,
    Writes,
    Sweeps,
}

/// An application that was set up.
pub(crate) struct Stage {
    pub(crate) router: Router,
    /// What this layer has no notion of, and why.
    pub(crate) no_subject: Option<&'static str>,
    pub(crate) no_absolute: Option<&'static str>,
    clock: Clock,
    store: Option<Box<dyn StoreHandle>>,
}

/// How time passes.
enum Clock {
    /// By a clock that we move.
    Moved(Box<dyn Fn(Duration)>),
    /// By waiting.
    Real,
}

/// The store behind, where we can reach it.
trait StoreHandle {
    /// From now on these operations fail.
    fn fail(&self, fault: Fault);
    /// Sessions kept.
    fn rows(&self) -> usize;
}

impl Layer {
    pub(crate) const ALL: [Self; 3] = [Self::Cloakroom, Self::TowerSessions, Self::AxumSession];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cloakroom => "cloakroom",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum_session",
        }
    }

    /// An application with an empty store.
    pub(crate) async fn stage(self, wish: &Wish) -> Stage {
        match self {
            Self::Cloakroom => cloakroom::stage(wish),
            Self::TowerSessions => tower_sessions::stage(wish),
            Self::AxumSession => axum_session::stage(wish).await,
        }
    }
}

impl Stage {
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }

    /// Time passes.
    pub(crate) async fn pass(&self, time: Duration) {
        match &self.clock {
            Clock::Moved(advance) => advance(time),
            Clock::Real => tokio::time::sleep(time).await,
        }
    }

    /// Answers whether the store can be made to fail.
    pub(crate) fn fail(&self, fault: Fault) -> bool {
        self.store
            .as_ref()
            .inspect(|store| store.fail(fault))
            .is_some()
    }

    /// Sessions in the store, where they can be counted.
    pub(crate) fn rows(&self) -> Option<usize> {
        self.store.as_ref().map(|store| store.rows())
    }
}
