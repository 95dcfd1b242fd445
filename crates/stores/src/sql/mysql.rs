//! The MySQL and MariaDB store: a database outside the cluster, for any number of nodes.
//!
//! What is done most is one statement: a load is one read by key that brings everything with it which may deny the
//! session, and an edit is one conditional write, computed from what was read last. What touches several rows is a
//! transaction, and all of them take their locks in one order (`verbs`), so that none waits for another in a ring. The
//! server's clock judges. Touches are collected in memory, seen by readers of the same node at once, and written about
//! once a second.

mod breaker;
mod error;
mod link;
mod options;
mod recent;
mod rows;
mod schema;
mod single;
mod store;
mod transaction;
mod values;

use std::fmt;
use std::sync::{Arc, Weak};

use cloakroom_core::store::StoreError;
use tokio::task::AbortHandle;

use self::link::Shared;
pub use self::options::{Options, Tls};

/// Sessions, replay guard and registry in a database; see the module.
///
/// What is batched is written by [`flush`](cloakroom_core::store::Store::flush); dropping it loses that, which are touches
/// of the last second.
pub struct MysqlStore {
    shared: Arc<Shared>,
    touches: AbortHandle,
}

impl MysqlStore {
    /// Connects, looks at the server's settings, and makes the tables or brings them up to date.
    ///
    /// # Errors
    /// Of kind `unavailable` where the server is out of reach; `denied` where it refuses us, lacks the database, cannot
    /// take the largest session, or has tables of a later release.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        if options.tls != Tls::Off {
            // The client library takes the one of the process; where there is one, it stays.
            drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        }
        let shared = Arc::new(Shared::new(options));
        shared.prepare().await?;
        let touches = tokio::spawn(write_touches(Arc::downgrade(&shared)));
        Ok(Self {
            shared,
            touches: touches.abort_handle(),
        })
    }
}

/// Until the store is dropped.
async fn write_touches(shared: Weak<Shared>) {
    let Some(every) = shared.upgrade().map(|shared| shared.options.touch_every) else {
        return;
    };
    loop {
        tokio::time::sleep(every).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Err(error) = shared.write_touches().await {
            tracing::warn!(%error, "touches are not written yet");
        }
    }
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore").finish_non_exhaustive()
    }
}

impl Drop for MysqlStore {
    fn drop(&mut self) {
        self.touches.abort();
    }
}
