//! The Redis store: Redis or Valkey, alone, clustered, with sentinels.
//!
//! A session is one string: a head that scripts read, and the record. A load is one `MGET` of it and of the not-befores
//! that cover it, which costs the server what a `GET` costs; a script for the same took more than twice as long. Every
//! write is one script on one slot, so the same layout serves one server and a Cluster. The server's clock judges
//! deadlines.
//!
//! What lies in different slots cannot change in one step: a session and its subject's index. See `admission` for how a
//! login keeps the limit all the same. The truth of a revocation is the not-before, which every load reads.

mod admission;
mod discover;
mod error;
mod inner;
mod keeper;
mod keys;
mod link;
mod list;
mod options;
mod reassert;
mod recent;
mod registry;
mod revoke;
mod route;
mod row;
mod script;
mod sessions;
mod store;
mod sweep;
#[cfg(feature = "near_cache")]
mod tell;

use std::fmt;
use std::sync::Arc;

use ::redis::Value;
use cloakroom_core::store::StoreError;
use futures_util::future::join_all;

use self::error::{damaged, denied};
use self::inner::{Inner, Shared};
use self::keeper::Durability;
pub use self::options::{Endpoint, Options, Tls, Topology};
use self::route::Care;

/// Sessions, replay guard and registry in Redis; see the module.
pub struct RedisStore {
    inner: Shared,
    durable: bool,
    keeper: tokio::task::JoinHandle<()>,
}

impl RedisStore {
    /// Connects, and looks whether the servers are what a store of sessions needs.
    ///
    /// # Errors
    /// Of kind `unavailable` where no server answers; `denied` where it refuses the login, may evict keys, or where the
    /// sessions under this prefix are divided otherwise.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        let inner = Arc::new(Inner::new(options));
        inner.look().await?;
        let map = inner.router.map();
        let greeting = map.links.iter().map(|link| async {
            let mut connection = link.probe().await?;
            inner.greet(link, &mut connection).await?;
            inner.check_memory(link, &mut connection).await
        });
        let mut durable = true;
        for greeted in join_all(greeting).await {
            let Durability(said) = greeted?;
            durable &= said;
        }
        check_layout(&inner).await?;
        let durable = inner.options.durable.unwrap_or(durable);
        let keeper = tokio::spawn(keeper::run(Arc::downgrade(&inner)));
        Ok(Self {
            inner,
            durable,
            keeper,
        })
    }
}

/// All nodes must divide the sessions alike.
async fn check_layout(inner: &Inner) -> Result<(), StoreError> {
    let (key, slot) = inner.keys.layout();
    let ours = format!("1 buckets={}", inner.keys.buckets());
    let mut set = ::redis::cmd("SET");
    set.arg(&key).arg(&ours).arg("NX");
    inner.router.call(slot, &set, None, Care::Repeat).await?;
    let mut get = ::redis::cmd("GET");
    get.arg(&key);
    match inner.router.read(slot, &get).await? {
        Value::BulkString(theirs) if theirs == ours.as_bytes() => Ok(()),
        Value::BulkString(_) => Err(denied(
            "the sessions under this prefix are divided otherwise: the URL needs the same buckets=",
        )),
        _ => Err(damaged("reading how the sessions are divided")),
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
