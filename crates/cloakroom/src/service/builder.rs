//! Putting [`Sessions`] together.

use std::sync::Arc;

use cloakroom_core::Policy;
use cloakroom_core::clock::Mark;
use cloakroom_core::store::{DynStore, ReplayGuard, Store, SubjectIndex};
use cloakroom_core::token::RenewalKey;

use super::endings::{Ending, Endings, Hook};
use super::entropy::Entropy;
use super::{Clock, Inner, Sessions, SystemClock};
use crate::front::Front;

/// Settings of [`Sessions`]; every one has a safe default.
pub struct Builder {
    store: DynStore,
    policy: Policy,
    clock: Option<Arc<dyn Clock>>,
    key: Option<RenewalKey>,
    hooks: Vec<Hook>,
    pub(crate) front: Front,
}

impl Sessions {
    /// Sessions on `store` by the default rules.
    pub fn new<S: Store + SubjectIndex + ReplayGuard>(store: S) -> Self {
        Self::builder(store).build()
    }

    /// Sessions on `store` by rules of your own.
    pub fn builder<S: Store + SubjectIndex + ReplayGuard>(store: S) -> Builder {
        Self::builder_on(DynStore::new(store))
    }

    /// Sessions on a store whose type is erased already.
    pub fn builder_on(store: DynStore) -> Builder {
        Builder {
            store,
            policy: Policy::default(),
            clock: None,
            key: None,
            hooks: Vec::new(),
            front: Front::default(),
        }
    }
}

impl Builder {
    /// How long sessions live, and the rest of the rules.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The key that renewed secrets are derived from. Nodes that share a store must share it; without one, a key of this
    /// process is drawn, which costs nothing but that an unfinished renewal is not answered again after a restart.
    #[must_use]
    pub fn renewal_key(mut self, key: RenewalKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Calls `hook` for every session that this process sees ending; it must not block.
    #[must_use]
    pub fn on_ended(mut self, hook: impl Fn(&Ending) + Send + Sync + 'static) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// The handle.
    pub fn build(self) -> Sessions {
        let entropy = Entropy;
        let key = self
            .key
            .unwrap_or_else(|| RenewalKey::from_bytes(entropy.bytes()));
        let clock = self.clock.unwrap_or_else(|| {
            SystemClock::start(Mark::default(), |event| {
                tracing::warn!(?event, "the wall clock jumped")
            })
        });
        let untimed = Policy {
            renew_every: None,
            ..self.policy.clone()
        };
        let endings = Endings::new(self.hooks);
        let inner = Inner {
            store: self.store,
            policy: self.policy,
            untimed,
            clock,
            key,
            entropy,
            endings,
            front: self.front,
        };
        Sessions {
            inner: Arc::new(inner),
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("store", &self.store)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
