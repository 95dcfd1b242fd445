//! What can go wrong for a handler, and what its client is told about it.

use std::convert::Infallible;

use cloakroom_core::lifecycle::Ended;
use cloakroom_core::limits::LimitError;
use cloakroom_core::store::{ErrorKind, Refusal, StoreError};
use cloakroom_core::subject::InvalidName;
use http::StatusCode;

use crate::service;

/// Why a session operation was not done.
///
/// Its text is for operators and carries no token, no data and nothing that a client sent. What the client learns is
/// [`Error::status`] and a title that fits it; with axum it is a response as it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not do its work; nothing is known about the session. 503 where it is out of reach or full.
    #[error("the session store failed: {0}")]
    Store(#[from] StoreError),
    /// The data would grow beyond the limits; nothing was written.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The session ended while the request ran; what it wrote has nowhere to go.
    #[error("the session has ended ({})", .0.as_str())]
    Ended(Ended),
    /// The session may not begin, or may not get this subject.
    #[error("the session may not have this subject: {0:?}")]
    Refused(Refusal),
    /// Others changed the session faster than this change could be made.
    #[error("the session changed too often while it was being written")]
    Contended,
    /// A value has no JSON form, or what is stored is not what was asked for.
    #[error("a session value could not be converted: {0}")]
    Json(#[from] serde_json::Error),
    /// A subject that cannot be one.
    #[error(transparent)]
    Subject(#[from] InvalidName),
    /// The handler needs a signed-in person, and there is none.
    #[error("nobody is signed in")]
    NobodySignedIn,
    /// There is no session layer around the handler.
    #[error(
        "there is no session layer around this handler: add `.layer(sessions.layer())` to the router, after its routes \
         and outside every middleware that uses the session"
    )]
    MissingLayer,
    /// The client presented its token by a transport that takes no new one back.
    #[error(
        "this client cannot be given a new session token: configure `Transports::response_header` for clients that do \
         not use the cookie"
    )]
    NoWayBack,
    /// The response has been sent, so no new token can reach the client any more.
    #[error(
        "the response has been sent: a session can no longer begin or change its token in this request"
    )]
    TooLate,
}

impl Error {
    /// The status a client gets for it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Store(error) => match error.kind() {
                ErrorKind::Unavailable | ErrorKind::Full => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::Corrupt | ErrorKind::Denied => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Contended => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended(_) | Self::NobodySignedIn | Self::Refused(Refusal::Revoked) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Refused(Refusal::TooManySessions) => StatusCode::FORBIDDEN,
            Self::Limit(_)
            | Self::Json(_)
            | Self::Subject(_)
            | Self::MissingLayer
            | Self::NoWayBack
            | Self::TooLate => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the client is told: nothing about the inside, but where only the programmer can help, the remedy.
    pub(crate) fn outward(&self) -> String {
        match self {
            Self::Store(_) | Self::Contended
                if self.status() == StatusCode::SERVICE_UNAVAILABLE =>
            {
                "sessions are out of reach for the moment".to_owned()
            }
            Self::Ended(_) => "the session has ended".to_owned(),
            Self::NobodySignedIn | Self::Refused(Refusal::Revoked) => "sign in first".to_owned(),
            Self::Refused(Refusal::TooManySessions) => "too many sessions".to_owned(),
            Self::MissingLayer | Self::NoWayBack => self.to_string(),
            _ => "the session could not be used".to_owned(),
        }
    }

    /// Says inside what went wrong, once, where the outside is not told.
    pub(crate) fn log(&self) {
        if self.status().is_server_error() {
            let source = std::error::Error::source(self).map(ToString::to_string);
            tracing::error!(error = %self, source, "a session operation failed");
        }
    }
}

impl From<service::Error> for Error {
    fn from(error: service::Error) -> Self {
        match error {
            service::Error::Store(error) => Self::Store(error),
            service::Error::Limit(error) => Self::Limit(error),
            service::Error::Ended(ended) => Self::Ended(ended),
            service::Error::Refused(refusal) => Self::Refused(refusal),
            service::Error::Moved(_) | service::Error::Contended => Self::Contended,
            service::Error::Json(error) => Self::Json(error),
        }
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
