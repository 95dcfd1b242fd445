//! From a store URL to an open store.

use std::path::PathBuf;
use std::sync::Arc;

use cloakroom_core::StoreError;
use cloakroom_core::store::memory::{MemoryBuilder, MemoryStore};
use cloakroom_core::store::{
    DynRegistry, DynStore, ErrorKind, Registry, ReplayGuard, Store, SubjectIndex,
};

use super::url::{Kind, Memory};
use super::{ConnectError, StoreUrl, store_url_shown};

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

    /// As [`Opened::both`], with hot records near where that was asked for.
    #[cfg(feature = "remote")]
    #[cfg_attr(
        not(any(
            feature = "files",
            feature = "mysql",
            feature = "postgres",
            feature = "redis",
            feature = "sqlite"
        )),
        expect(dead_code, reason = "each such store is a feature")
    )]
    pub(super) fn far<S>(store: S, is: String, near: Option<usize>) -> Self
    where
        S: cloakroom_stores::near_cache::Tells + SubjectIndex + ReplayGuard + Registry,
    {
        use cloakroom_stores::near_cache::NearCache;

        let Some(bytes) = near else {
            return Self::both(store, is);
        };
        let store = Arc::new(store);
        let cache = NearCache::told_by(Arc::clone(&store), bytes as u64);
        Self {
            store: DynStore::new(cache),
            registry: Some(DynRegistry::from_arc(store)),
            is,
        }
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
    let failed = |source: StoreError| ConnectError::Store {
        store: store_url_shown(url),
        source,
    };
    match parsed.kind {
        Kind::Memory(memory) => in_memory(memory).await.map_err(failed),
        Kind::Embedded(path) => embedded(path).await.map_err(failed),
        Kind::Remote(remote) => {
            let near = parsed.near_cache;
            remote.connect(near).await.map_err(failed)
        }
    }
}

async fn in_memory(memory: Memory) -> Result<Opened, StoreError> {
    let builder = MemoryStore::builder()
        .reserve(memory.reserve)
        .full(memory.full)
        .max_sessions(memory.max_sessions.unwrap_or(usize::MAX));
    let is = "in memory; they go with this process".to_owned();
    match memory.overflow {
        None => Ok(Opened {
            store: DynStore::new(builder.build()),
            registry: None,
            is,
        }),
        Some(folder) => overflow(builder, folder).await,
    }
}

#[cfg(feature = "embedded")]
async fn overflow(memory: MemoryBuilder, folder: PathBuf) -> Result<Opened, StoreError> {
    use cloakroom_stores::overflow::OverflowStore;

    let is = format!(
        "in memory, and in {} where that is full; they go with this process",
        folder.display()
    );
    let store = off_thread(move || OverflowStore::open(memory, folder)).await?;
    Ok(Opened {
        store: DynStore::new(store),
        registry: None,
        is,
    })
}

/// Never reached: the URL was refused when it was read.
#[cfg(not(feature = "embedded"))]
async fn overflow(_memory: MemoryBuilder, _folder: PathBuf) -> Result<Opened, StoreError> {
    Err(StoreError::new(ErrorKind::Denied, "not compiled in"))
}

#[cfg(feature = "embedded")]
async fn embedded(path: PathBuf) -> Result<Opened, StoreError> {
    use cloakroom_stores::embedded::{EmbeddedStore, Options};

    let is = format!("on disk, in {}", path.display());
    let store = off_thread(move || EmbeddedStore::open(path, Options::default())).await?;
    Ok(Opened::both(store, is))
}

/// Never reached: the URL was refused when it was read.
#[cfg(not(feature = "embedded"))]
async fn embedded(_path: PathBuf) -> Result<Opened, StoreError> {
    Err(StoreError::new(ErrorKind::Denied, "not compiled in"))
}

/// Opening reads the disk, which must not hold up other tasks.
#[cfg(feature = "embedded")]
async fn off_thread<S: Send + 'static>(
    open: impl FnOnce() -> Result<S, StoreError> + Send + 'static,
) -> Result<S, StoreError> {
    let opened = tokio::task::spawn_blocking(open).await;
    let gave_up = |error| StoreError::new(ErrorKind::Unavailable, "opening").because(error);
    opened.map_err(gave_up).and_then(|opened| opened)
}
