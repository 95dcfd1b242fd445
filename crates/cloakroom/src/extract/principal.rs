//! Who is signed in.

use cloakroom_core::{SessionId, Subject, Timestamp};

use crate::session::{Error, Session};

/// The signed-in subject, and how and when he was proven.
///
/// As an axum extractor: 401 where nobody is signed in, 503 where the store is out of reach, which must not look like a
/// logout. `Option<Principal>` is `None` where nobody is signed in, and 503 just the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// Who.
    pub subject: Subject,
    /// How strongly he was proven, if that was told.
    pub acr: Option<Box<str>>,
    /// By which methods.
    pub amr: Vec<Box<str>>,
    /// When he was last proven, as people's clocks show it.
    pub authenticated_at: Timestamp,
    /// The session's public handle.
    pub session_id: SessionId,
}

impl Principal {
    /// The principal of `session`, which is loaded if need be; a login of this very request does not count yet.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn of(session: &Session) -> Result<Option<Self>, Error> {
        session.load().await?;
        let read = |record: &cloakroom_core::Record| {
            let security = &record.security;
            let at = security.authenticated_at.unwrap_or(security.created_at);
            Some(Self {
                subject: security.subject.clone()?,
                acr: security.acr.clone(),
                amr: security.amr.clone(),
                authenticated_at: session.sessions().shown(at),
                session_id: record.id,
            })
        };
        Ok(session.of_record(read).flatten())
    }
}
