//! Two stores as one: the whole contract, with sessions that are still in the old store.

use cloakroom::migrate::Moving;
use cloakroom::service::Clock;
use cloakroom::{MIB, MemoryStore, Timestamp};
use cloakroom_conformance::{Fixture, ManualClock};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::memory::MemoryRegistry;
use cloakroom_core::store::{
    Created, Cursor, Deleted, DynRegistry, DynStore, Expect, Kind, Listed, Loaded, Profile,
    ReplayGuard, Revoked, Scope, Store, SubjectIndex, Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, StoreError, SubjectLimit};
use cloakroom_stores::EmbeddedStore;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

mod races;

/// A clock that the suite moves.
#[derive(Debug, Default)]
struct Moved(ManualClock);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// What the suite creates is in the old store, as if it had been there before; all else goes to both.
struct Seeded {
    moving: Moving,
    old: DynStore,
    registry: DynRegistry,
}

impl Seeded {
    /// A session that ended is not begun again with its id, but by the suite's model.
    async fn is_buried(&self, id: SessionId, now: Timestamp) -> bool {
        let name = format!("migration/grave/{id}");
        let found = self.registry.get(Kind::Setting, &name, now).await;
        found.unwrap().is_some()
    }
}

impl Store for Seeded {
    fn profile(&self) -> Profile {
        self.moving.profile()
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let present = self.moving.load(record.id).await?.is_some();
        if present || limit.max.is_some() || self.is_buried(record.id, now).await {
            return self.moving.create(record, limit, now).await;
        }
        self.old.create(record, limit, now).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.moving.load(id).await
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        self.moving.update(id, expect, change, limit, now).await
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.moving.touch(id, activity, now).await
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.moving.delete(id).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.moving.sweep(now, limit).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.moving.flush().await
    }
}

impl SubjectIndex for Seeded {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.moving.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.moving.list(scope, cursor, limit, now).await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        self.moving.revoke_all(scope, except, now).await
    }
}

impl ReplayGuard for Seeded {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.moving.first_seen(key, until, now).await
    }
}

struct Both {
    store: Arc<Seeded>,
    clock: Arc<Moved>,
    _folder: TempDir,
}

impl Both {
    async fn of(old: DynStore, new: DynStore, registry: DynRegistry, folder: TempDir) -> Self {
        let clock = Arc::new(Moved::default());
        let its: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let moving = Moving::begin(old.clone(), new, registry.clone(), its)
            .await
            .unwrap();
        let store = Arc::new(Seeded {
            moving,
            old,
            registry,
        });
        Self {
            store,
            clock,
            _folder: folder,
        }
    }
}

fn memory() -> (DynStore, DynRegistry) {
    let store = DynStore::new(MemoryStore::reserve(32 * MIB));
    (store, DynRegistry::new(MemoryRegistry::default()))
}

fn embedded(folder: &TempDir) -> (DynStore, DynRegistry) {
    let store = Arc::new(EmbeddedStore::open(folder.path(), Default::default()).unwrap());
    (
        DynStore::from_arc(Arc::clone(&store)),
        DynRegistry::from_arc(store),
    )
}

macro_rules! fixture {
    ($name:ident, $open:expr) => {
        struct $name(Both);

        impl Fixture for $name {
            type Store = Seeded;
            type Registry = MemoryRegistry;

            async fn open() -> Self {
                let folder = tempfile::tempdir().unwrap();
                let open: fn(&TempDir) -> (DynStore, (DynStore, DynRegistry)) = $open;
                let (old, (new, registry)) = open(&folder);
                Self(Both::of(old, new, registry, folder).await)
            }

            fn store(&self) -> Arc<Seeded> {
                Arc::clone(&self.0.store)
            }

            fn registry(&self) -> Option<Arc<MemoryRegistry>> {
                None
            }

            fn now(&self) -> Timestamp {
                self.0.clock.now()
            }

            async fn advance(&self, by: Duration) {
                self.0.clock.0.advance(by);
            }
        }
    };
}

fixture!(OutOfMemory, |folder| (memory().0, embedded(folder)));
fixture!(IntoMemory, |folder| (embedded(folder).0, memory()));

mod out_of_memory {
    cloakroom_conformance::suite!(super::OutOfMemory);
}

mod into_memory {
    cloakroom_conformance::suite!(super::IntoMemory);
}
