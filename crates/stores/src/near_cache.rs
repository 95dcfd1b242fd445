//! Hot records near: a bounded cache in front of a store that is far away.
//!
//! A read may answer a state of at most [`LAG`] ago, whatever happens, and never one from before this node's own writes.
//! Two things make that so. A record that was asked for less than [`LAG`] ago is young enough by itself. An older one is
//! used only while a [`Channel`] tells what other nodes change, and only as long as that channel proves that nothing is
//! under way on it: a channel that is silent for longer than [`LAG`] proves nothing, and reads are strict again. What is
//! told is gone at once, so a session that another node ended is denied as soon as the word arrives.
//!
//! Writes go to the store and are as strict there as without a cache; what they answer replaces what is here. Whoever was
//! turned away by an older state is judged again on [`Store::load_fresh`].
//!
//! Readers who miss the same record at the same time share one load. Nothing is kept of a session that is not there.

mod channel;
mod denials;
mod shared;
mod store;

use std::fmt;
use std::sync::Arc;

use cloakroom_core::SessionId;
use cloakroom_core::store::{LAG, Loaded, Store, StoreError};
use tokio::time::Instant;

pub use self::channel::{Channel, Sink};
use self::shared::{Flight, Landed, Landing, Seat, Shared};

/// A store that may tell a near cache what other nodes change.
pub trait Tells: Store {
    /// Tells `sink` from now on, in a task of its own, until the sink is closed. A store that tells nothing has its
    /// records near for at most [`LAG`].
    fn tell(self: &Arc<Self>, sink: Sink) {
        drop(sink);
    }
}

#[cfg(feature = "files")]
impl Tells for crate::files::FilesStore {}
#[cfg(feature = "mysql")]
impl Tells for crate::sql::mysql::MysqlStore {}
#[cfg(feature = "sqlite")]
impl Tells for crate::sql::sqlite::SqliteStore {}

/// A store with hot records near; see the module.
pub struct NearCache<S> {
    store: Arc<S>,
    shared: Arc<Shared>,
}

/// What a near cache has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Reads that were answered from here.
    pub hits: u64,
    /// Reads that asked the store, or joined one that did.
    pub misses: u64,
    /// Records that are here now.
    pub records: u64,
    /// Bytes that they are charged with.
    pub bytes: u64,
}

impl<S: Store> NearCache<S> {
    /// Keeps at most about `bytes` of `store`'s records near.
    ///
    /// Without a channel ([`NearCache::sink`]) a record is near for at most [`LAG`].
    pub fn new(store: Arc<S>, bytes: u64) -> Self {
        Self {
            store,
            shared: Arc::new(Shared::new(bytes)),
        }
    }

    /// As [`NearCache::new`], told by the store what other nodes change.
    pub fn told_by(store: Arc<S>, bytes: u64) -> Self
    where
        S: Tells,
    {
        let cache = Self::new(store, bytes);
        cache.store.tell(cache.sink());
        cache
    }

    /// Where a channel tells what other nodes change.
    pub fn sink(&self) -> Sink {
        Sink::of(&self.shared)
    }

    /// The store behind it.
    pub fn inner(&self) -> &Arc<S> {
        &self.store
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Asks the store, together with everybody who asks for the same just now.
    async fn fetch(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let landing = match self.shared.board(id, Instant::now()) {
            Seat::Join(landing) => landing,
            Seat::Lead(flight) => self.take_off(id, flight, false),
        };
        landed(landing).await
    }

    /// Asks the store now, whoever asks already.
    async fn fetch_fresh(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let flight = self.shared.depart(id, Instant::now());
        landed(self.take_off(id, flight, true)).await
    }

    /// The task goes on though its caller may be gone, so nobody waits for a load that never ends.
    fn take_off(&self, id: SessionId, flight: Flight, fresh: bool) -> Landing {
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let landing = flight.landing();
        tokio::spawn(async move {
            let answer = if fresh {
                store.load_fresh(id).await
            } else {
                store.load(id).await
            };
            shared.land(id, flight, answer);
        });
        landing
    }
}

async fn landed(mut landing: Landing) -> Result<Option<Loaded>, StoreError> {
    let landed = match landing.wait_for(Option::is_some).await {
        Ok(landed) => landed.clone(),
        Err(_) => None,
    };
    match landed {
        Some(Landed::Found(kept)) => Ok(Some(kept.loaded(Instant::now()))),
        Some(Landed::Absent) => Ok(None),
        Some(Landed::Failed(error)) => {
            Err(StoreError::new(error.kind(), "reading a session").because(error))
        }
        None => Err(shared::gave_up()),
    }
}
impl<S: Store> fmt::Debug for NearCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache")
            .field("store", &self.store.profile().name)
            .field("lag", &LAG)
            .finish_non_exhaustive()
    }
}
