//! Store URLs: where records live, in one line (INTERFACE section 2). The one place that reads and opens them.

mod open;
mod remote;
mod shown;
mod url;

use cloakroom_core::StoreError;

use crate::service::{Builder, Sessions};

pub use cloakroom_core::store::memory::Full;
pub use open::{Opened, open_store};
pub use shown::store_url_shown;
pub use url::{StoreUrl, StoreUrlError, parse_size};

/// Why there is no store behind a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL itself is wrong, or of a store that this build lacks.
    #[error(transparent)]
    Url(#[from] StoreUrlError),
    /// The store could not be opened.
    #[error("the session store {store} could not be opened")]
    Store {
        /// Which, without anything secret.
        store: String,
        /// Why.
        source: StoreError,
    },
}

/// Sessions in the store that `url` names, by the default rules: `memory:?reserve=64MiB`, or with the feature of its name
/// `embedded:PATH`, `files:PATH`, `sqlite:PATH`, `postgres://…`, `mysql://…`, `redis://…`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let sessions = cloakroom::connect("memory:?reserve=8MiB&max_sessions=1000").await?;
/// # Ok::<(), cloakroom::ConnectError>(()) }).unwrap();
/// ```
///
/// # Errors
/// [`ConnectError`]: where this build lacks the store, its text names the feature to enable.
pub async fn connect(url: &str) -> Result<Sessions, ConnectError> {
    Ok(connect_builder(url).await?.build())
}

/// As [`connect`], to go on with rules of your own.
///
/// # Errors
/// As [`connect`].
pub async fn connect_builder(url: &str) -> Result<Builder, ConnectError> {
    Ok(Sessions::builder_on(open_store(url).await?.store))
}
