//! Sessions without HTTP: one handle that creates, verifies, changes, renews and ends them on any store.
//!
//! The layer, the extractors and the server all stand on this. Rules come from `cloakroom-core`; this module brings the
//! clock, chance and the store to them, and carries out what they plan.

mod builder;
mod calls;
mod clock;
mod endings;
mod engine;
mod entropy;
mod error;

use std::fmt;
use std::sync::Arc;

use cloakroom_core::Policy;
use cloakroom_core::store::DynStore;
use cloakroom_core::time::Timestamp;
use cloakroom_core::token::RenewalKey;

pub use builder::Builder;
pub use calls::{Started, Target, Verified};
pub use clock::{Clock, SystemClock};
pub use endings::{Cause, EndWatch, Ending};
pub use engine::{Committed, Found, Resolved};
pub use error::Error;

use endings::Endings;
use entropy::Entropy;

/// A cheap handle to all sessions of one store.
#[derive(Clone)]
pub struct Sessions {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: DynStore,
    pub(crate) policy: Policy,
    /// The same rules without renewal by timer, for callers that have no answer to put a new token into.
    pub(crate) untimed: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) key: RenewalKey,
    pub(crate) entropy: Entropy,
    pub(crate) endings: Endings,
    pub(crate) front: crate::front::Front,
}

impl Sessions {
    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// The store underneath.
    pub fn store(&self) -> &DynStore {
        &self.inner.store
    }

    /// The judged time: what deadlines are compared with.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// A judged time as people's clocks show it.
    pub fn shown(&self, judged: Timestamp) -> Timestamp {
        self.inner.clock.shown(judged)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}
