//! Moving to another store: every live session, people, keys and settings, so that nobody is logged out and nothing that
//! ended comes back.
//!
//! [`copy`] leaves the old store as it is. What was copied is noted in the new store, with the version that it had; so a
//! second run tells what changed on which side since: it brings what is new, ends what has ended, and keeps what is newer
//! in the new store.

mod epochs;
mod journal;
mod judge;
mod moving;
mod registry;
mod run;
mod sessions;

pub use moving::Moving;
pub use run::{MigrateError, Progress, Report, Stage, copy};
pub use sessions::Counts;

use cloakroom_core::store::{DynRegistry, DynStore};

/// One side of a migration.
#[derive(Debug, Clone)]
struct Side {
    store: DynStore,
    registry: DynRegistry,
}

/// What a migration itself keeps in the registry; it is not carried to the next store.
const OURS: &str = "migration/";
