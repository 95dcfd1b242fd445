//! Two stores as one, while sessions move from the old one to the new one under live traffic.
//!
//! New sessions begin in the new store. A session that is still in the old one is moved when it is first asked for, or by
//! [`Moving::all`]. Everything that is moved takes the same steps, so that a crash or another node between any two of them
//! neither logs anybody out nor brings anything back:
//!
//! 1. It is created in the new store, if absent, with a *mark* in its data: marked, it opens nothing yet.
//! 2. Where a *grave* is noted in the new store's registry, it ended meanwhile, and is deleted again.
//! 3. The mark is taken away. From now on the new store has the session.
//! 4. It is deleted in the old store.
//!
//! Whoever ends a session notes the grave first, then deletes it in the old store, then in the new one. So a mover that
//! comes late finds the grave before it takes the mark away. A marked session that the old store does not have any more has
//! ended. Revocations need no grave: they raise both revocation clocks, and the new store refuses who was admitted before.
//!
//! Every node of the old store must run this, or none: a node that writes to the old store alone would not be seen.

mod index;
mod session;
mod store;

use cloakroom_core::store::{DynRegistry, DynStore};
use cloakroom_core::{SessionId, StoreError};
use std::{fmt, sync::Arc};

use super::epochs;
use super::run::MigrateError;
use crate::service::Clock;

/// Both stores; cheap to clone.
#[derive(Clone)]
pub struct Moving {
    old: DynStore,
    new: DynStore,
    /// Of the new store: the graves are there.
    registry: DynRegistry,
    clock: Arc<dyn Clock>,
}

impl Moving {
    /// Begins, or goes on. `registry` is the new store's.
    ///
    /// # Errors
    /// [`MigrateError`], where a store does not answer.
    pub async fn begin(
        old: DynStore,
        new: DynStore,
        registry: DynRegistry,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MigrateError> {
        epochs::raise(&old, &new, clock.now()).await?;
        Ok(Self {
            old,
            new,
            registry,
            clock,
        })
    }

    /// Moves what is left, a page at a time; answers how many sessions it found. `told` hears of each page.
    ///
    /// # Errors
    /// Of either store; what was moved until then stays moved.
    pub async fn all(&self, told: &mut (dyn FnMut(u64) + Send)) -> Result<u64, StoreError> {
        session::move_all(self, told).await
    }
}

impl fmt::Debug for Moving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, .. } = self;
        f.debug_struct("Moving")
            .field("old", old)
            .field("new", new)
            .finish_non_exhaustive()
    }
}

/// The grave's name in the registry.
fn grave(id: SessionId) -> String {
    format!("{}grave/{id}", super::OURS)
}
