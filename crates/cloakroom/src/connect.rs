//! Store URLs: where records live, in one line (INTERFACE section 2).

mod url;

use cloakroom_core::StoreError;
use cloakroom_core::store::memory::MemoryStore;

use crate::service::{Builder, Sessions};

pub use cloakroom_core::store::memory::Full;
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

/// Sessions in the store that `url` names, by the default rules: `memory:?reserve=64MiB`, or `embedded:PATH` with the
/// feature of that name.
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
    match url.parse()? {
        StoreUrl::Memory {
            reserve,
            max_sessions,
            full,
        } => {
            let store = MemoryStore::builder().reserve(reserve).full(full);
            Ok(Sessions::builder(
                store
                    .max_sessions(max_sessions.unwrap_or(usize::MAX))
                    .build(),
            ))
        }
        StoreUrl::Embedded { path } => embedded(path).await,
    }
}

#[cfg(feature = "embedded")]
async fn embedded(path: std::path::PathBuf) -> Result<Builder, ConnectError> {
    use cloakroom_core::store::ErrorKind;
    use cloakroom_stores::embedded::{EmbeddedStore, Options};

    let store = format!("embedded:{}", path.display());
    // Opening reads the disk, which must not hold up other tasks.
    let opened =
        tokio::task::spawn_blocking(move || EmbeddedStore::open(path, Options::default())).await;
    let gave_up = |error| StoreError::new(ErrorKind::Unavailable, "opening").because(error);
    match opened.map_err(gave_up).and_then(|opened| opened) {
        Ok(opened) => Ok(Sessions::builder(opened)),
        Err(source) => Err(ConnectError::Store { store, source }),
    }
}

#[cfg(not(feature = "embedded"))]
async fn embedded(_path: std::path::PathBuf) -> Result<Builder, ConnectError> {
    let (scheme, feature) = ("embedded".to_owned(), "embedded");
    Err(StoreUrlError::NotCompiledIn { scheme, feature }.into())
}
