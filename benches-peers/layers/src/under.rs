//! The layers: each has the routes of [`crate::Case`], and `/begin`, which begins a session that holds the payload.

mod axum_session;
mod cloakroom;
mod control;
mod tower_sessions;

use axum::Router;

pub use control::NoOp;

/// Ours, on the store that `url` names.
///
/// # Panics
/// Where that cannot be opened.
pub async fn on_store(url: &str) -> Router {
    cloakroom::on_store(url).await
}

/// A variant of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// No layer.
    Control,
    /// A tower layer that does nothing: what any layer costs on an axum router.
    NoOp,
    /// Ours, with its defaults, on the memory store.
    Cloakroom,
    /// tower-sessions, with its defaults, on its memory store.
    TowerSessions,
    /// axum_session, with its defaults, without a database.
    AxumSession,
}

impl Layer {
    /// All, in the order of the tables.
    pub const ALL: [Self; 5] = [
        Self::Control,
        Self::NoOp,
        Self::Cloakroom,
        Self::TowerSessions,
        Self::AxumSession,
    ];

    /// As the command line and the results call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::NoOp => "no-op",
            Self::Cloakroom => "cloakroom",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum_session",
        }
    }

    /// The one called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// Whether there are sessions at all.
    #[must_use]
    pub const fn has_sessions(self) -> bool {
        !matches!(self, Self::Control | Self::NoOp)
    }

    /// The application under it, with an empty store.
    pub async fn router(self) -> Router {
        match self {
            Self::Control => control::router(),
            Self::NoOp => control::router().layer(tower::layer::layer_fn(NoOp)),
            Self::Cloakroom => cloakroom::router(),
            Self::TowerSessions => tower_sessions::router(),
            Self::AxumSession => axum_session::router().await,
        }
    }
}
