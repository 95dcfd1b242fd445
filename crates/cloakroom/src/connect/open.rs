//! From a store URL to an open store.

use cloakroom_core::StoreError;
use cloakroom_core::store::memory::MemoryStore;
use cloakroom_core::store::{DynRegistry, DynStore, Registry, ReplayGuard, Store, SubjectIndex};
use std::sync::Arc;

use super::url::Kind;
use super::{ConnectError, StoreUrl, StoreUrlError, store_url_shown};

/// An open store, with what stands beside the sessions in it.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The sessions.
    pub store: DynStore,
    /// The registry in the same place; `None` for a store that has none.
    pub registry: Option<DynRegistry>,
    /// Where it is, in words for people and without anything secret, such as `on disk, in ./sessions`.
    pub is: String,
}

impl Opened {
    /// Whether several processes share it, so that what nodes must agree on belongs into it.
    pub fn is_shared(&self) -> bool {
        self.store.profile().shared
    }

    /// Whether what was acknowledged survives a crash.
    pub fn is_durable(&self) -> bool {
        self.store.profile().durable
    }

    /// Of a store that keeps sessions and registry behind one handle.
    #[cfg_attr(
        not(any(feature = "embedded", feature = "remote")),
        expect(dead_code, reason = "each such store is a feature")
    )]
    pub(super) fn both<S>(store: S, is: String) -> Self
    where
        S: Store + SubjectIndex + ReplayGuard + Registry,
    {
        let store = Arc::new(store);
        Self {
            store: DynStore::from_arc(Arc::clone(&store)),
            registry: Some(DynRegistry::from_arc(store)),
            is,
        }
    }
}

/// Opens the store that `url` names, with its registry.
///
/// # Errors
/// [`ConnectError`]: where this build lacks the store, its text names the feature to enable.
pub async fn open_store(url: &str) -> Result<Opened, ConnectError> {
    let parsed: StoreUrl = url.parse()?;
    if parsed.near_cache.is_some() {
        return Err(StoreUrlError::NearCache.into());
    }
    let failed = |source: StoreError| ConnectError::Store {
        store: store_url_shown(url),
        source,
    };
    match parsed.kind {
        Kind::Memory(memory) => {
            let store = MemoryStore::builder()
                .reserve(memory.reserve)
                .full(memory.full)
                .max_sessions(memory.max_sessions.unwrap_or(usize::MAX));
            Ok(Opened {
                store: DynStore::new(store.build()),
                registry: None,
                is: "in memory; they go with this process".to_owned(),
            })
        }
        Kind::Embedded(path) => embedded(path).await.map_err(failed),
        Kind::Remote(remote) => remote.connect().await.map_err(failed),
    }
}

#[cfg(feature = "embedded")]
async fn embedded(path: std::path::PathBuf) -> Result<Opened, StoreError> {
    use cloakroom_core::store::ErrorKind;
    use cloakroom_stores::embedded::{EmbeddedStore, Options};

    let is = format!("on disk, in {}", path.display());
    // Opening reads the disk, which must not hold up other tasks.
    let opened =
        tokio::task::spawn_blocking(move || EmbeddedStore::open(path, Options::default())).await;
    let gave_up = |error| StoreError::new(ErrorKind::Unavailable, "opening").because(error);
    let store = opened.map_err(gave_up).and_then(|opened| opened)?;
    Ok(Opened::both(store, is))
}

/// Never reached: the URL was refused when it was read.
#[cfg(not(feature = "embedded"))]
async fn embedded(_path: std::path::PathBuf) -> Result<Opened, StoreError> {
    use cloakroom_core::store::ErrorKind;
    Err(StoreError::new(ErrorKind::Denied, "not compiled in"))
}
