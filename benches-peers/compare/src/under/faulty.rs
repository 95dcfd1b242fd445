//! tower-sessions' memory store, failing on command.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{MemoryStore, SessionStore};

use super::{Fault, StoreHandle};

#[derive(Debug, Clone, Default)]
pub(super) struct FaultyStore {
    inner: MemoryStore,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    ids: HashSet<Id>,
}

impl FaultyStore {
    fn strike(&self, fault: Fault) -> Result<()> {
        if self.with(|state| state.fault) == Some(fault) {
            return Err(Error::Backend("out of reach".to_owned()));
        }
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StoreHandle for FaultyStore {
    fn fail(&self, fault: Fault) {
        self.with(|state| state.fault = Some(fault));
    }

    fn rows(&self) -> usize {
        self.with(|state| state.ids.len())
    }
}

#[async_trait]
impl SessionStore for FaultyStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.strike(Fault::Writes)?;
        self.inner.create(record).await?;
        self.with(|state| state.ids.insert(record.id));
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.strike(Fault::Writes)?;
        self.with(|state| state.ids.insert(record.id));
        self.inner.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.strike(Fault::Loads)?;
        self.inner.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.strike(Fault::Writes)?;
        self.with(|state| state.ids.remove(id));
        self.inner.delete(id).await
    }
}
