//! A store that tells every change on a channel, as a shared store does; when it is delivered, the test decides.

use std::sync::Arc;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::memory::{MIB, MemoryStore};
use cloakroom_core::store::{
    Created, Cursor, Deleted, Expect, Listed, Loaded, Profile, ReplayGuard, Revoked, Scope, Store,
    StoreError, SubjectIndex, Swept, Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::near_cache::Channel;
use parking_lot::Mutex;

/// What is told.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Session(SessionId),
    Denied(Scope),
}

impl Word {
    pub(super) fn deliver(&self, channel: &Channel) {
        match self {
            Self::Session(id) => channel.session(*id),
            Self::Denied(scope) => channel.denied(scope),
        }
    }
}

type Listener = Box<dyn Fn(&Word) + Send + Sync>;

/// See the module.
pub(super) struct Told {
    store: MemoryStore,
    listeners: Mutex<Vec<Listener>>,
    /// How often `load` was asked.
    pub(super) loads: std::sync::atomic::AtomicUsize,
    /// What `load` waits for before it answers, if anything.
    pub(super) gate: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
}

impl Told {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            store: MemoryStore::reserve(64 * MIB),
            listeners: Mutex::default(),
            loads: std::sync::atomic::AtomicUsize::new(0),
            gate: Mutex::default(),
        })
    }

    pub(super) fn listen(&self, listener: impl Fn(&Word) + Send + Sync + 'static) {
        self.listeners.lock().push(Box::new(listener));
    }

    fn tell(&self, word: &Word) {
        for listener in &*self.listeners.lock() {
            listener(word);
        }
    }

    fn sessions(&self, ids: &[SessionId]) {
        for id in ids {
            self.tell(&Word::Session(*id));
        }
    }
}

impl Store for Told {
    fn profile(&self) -> Profile {
        Profile {
            shared: true,
            ready: false,
            ..self.store.profile()
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let answer = self.store.create(record, limit, now).await?;
        if let Created::Done(ended) = &answer {
            self.sessions(ended);
        }
        Ok(answer)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.loads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let answer = self.store.load(id).await;
        let gate = self.gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        answer
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let answer = self.store.update(id, expect, change, limit, now).await?;
        if let Updated::Done { ended, .. } = &answer {
            self.sessions(ended);
            self.tell(&Word::Session(id));
        }
        Ok(answer)
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let answer = self.store.touch(id, activity, now).await?;
        self.tell(&Word::Session(id));
        Ok(answer)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let answer = self.store.delete(id).await?;
        self.tell(&Word::Session(id));
        Ok(answer)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let swept = self.store.sweep(now, limit).await?;
        for gone in &swept.removed {
            self.tell(&Word::Session(gone.id));
        }
        Ok(swept)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await
    }
}

impl SubjectIndex for Told {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.store.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.store.list(scope, cursor, limit, now).await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let answer = self.store.revoke_all(scope.clone(), except, now).await?;
        self.tell(&Word::Denied(scope));
        Ok(answer)
    }
}

impl ReplayGuard for Told {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.first_seen(key, until, now).await
    }
}
