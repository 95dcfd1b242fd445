//! What can go wrong with a change of the directory.

use crate::http::{Problem, problems};
use cloakroom::{StoreError, service};

/// A directory operation that was not done. Texts carry no password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is taken.
    #[error("there is a user of this name already")]
    Exists,
    /// The directory has nobody of this name.
    #[error("there is no user of this name")]
    Unknown,
    /// The name cannot be one.
    #[error("{0}")]
    Name(String),
    /// The password is refused by the rules.
    #[error("{0}")]
    Password(&'static str),
    /// A role cannot be one.
    #[error("{0}")]
    Role(String),
    /// More passwords wait to be checked than make sense.
    #[error("too many passwords are being checked")]
    Busy,
    /// What is kept of a person cannot be read.
    #[error("the directory's entry is damaged")]
    Damaged,
    /// Others changed the entry faster than this change could be made.
    #[error("the user's entry changed too often while it was being written")]
    Contended,
    /// The registry could not do its work.
    #[error("the registry failed")]
    Registry(#[from] StoreError),
    /// The person's sessions could not be ended; the change itself was made. Doing it again ends them.
    #[error("the user's sessions could not be ended; do it again")]
    Sessions(#[from] service::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let field = |name: &str, error: &Error| {
            Problem::new(&problems::INVALID_FIELD)
                .detail(error.to_string())
                .with("field", name)
        };
        match &error {
            Error::Exists => Problem::new(&problems::ALREADY_EXISTS).detail(error.to_string()),
            Error::Unknown => Problem::new(&problems::SUBJECT_NOT_FOUND),
            Error::Name(_) => field("name", &error),
            Error::Password(_) => field("password", &error),
            Error::Role(_) => field("roles", &error),
            Error::Busy => Problem::new(&problems::TOO_MANY_REQUESTS).header(
                http::header::RETRY_AFTER,
                http::HeaderValue::from_static("1"),
            ),
            Error::Damaged => {
                tracing::error!("an entry of the directory cannot be read");
                Problem::new(&problems::INTERNAL)
            }
            Error::Contended => Problem::new(&problems::UNAVAILABLE).detail(error.to_string()),
            Error::Registry(source) => {
                tracing::error!(error = %source, "the directory is out of reach");
                Problem::new(&problems::UNAVAILABLE)
            }
            Error::Sessions(source) => {
                tracing::error!(error = %source, "a person's sessions could not be ended");
                Problem::new(&problems::UNAVAILABLE).detail(error.to_string())
            }
        }
    }
}
