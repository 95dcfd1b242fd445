//! API keys in the registry: by name, and from their public id to the name.

use super::{ApiKey, NewKey, Scope, known::Known};
use bytes::Bytes;
use cloakroom_core::{
    App, StoreError, Timestamp,
    store::{DynRegistry, Entry, Expected, Kind, Put},
};
use std::{sync::Arc, time::Duration};

/// How many keys one page of the registry holds.
const PAGE: usize = 500;
/// How long to wait before the registry is watched again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// The API keys of a deployment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    registry: DynRegistry,
    known: Arc<Known>,
}

/// Why a key was not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name is taken.
    #[error("there is an API key called {0} already")]
    Taken(String),
    /// No key has this name.
    #[error("there is no API key called {0}")]
    Unknown(String),
    /// The registry could not do its work.
    #[error("the registry failed")]
    Store(#[from] StoreError),
}

impl ApiKeys {
    /// Keys kept in `registry`.
    #[must_use]
    pub fn new(registry: DynRegistry) -> Self {
        Self {
            registry,
            known: Arc::default(),
        }
    }

    /// Makes a key. Its text is shown this once.
    ///
    /// # Errors
    /// [`KeyError::Taken`], [`KeyError::Store`].
    pub async fn create(
        &self,
        name: &str,
        scopes: Vec<Scope>,
        app: Option<App>,
        now: Timestamp,
    ) -> Result<NewKey, KeyError> {
        let made = ApiKey::draw(scopes, app, now.as_millis());
        match self.keep(name, &made.key, Expected::Absent, now).await? {
            Put::Done(_) => Ok(made),
            Put::Conflict(_) => {
                self.unlink(&made.key.id, now).await?;
                Err(KeyError::Taken(name.to_owned()))
            }
        }
    }

    /// Makes `key` the key of this name, in place of any other (`[bootstrap]`).
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn adopt(&self, name: &str, key: &ApiKey, now: Timestamp) -> Result<(), KeyError> {
        let found = self.by_name(name, now).await?;
        if found.as_ref().is_some_and(|found| found.id == key.id) {
            return Ok(());
        }
        self.keep(name, key, Expected::Anything, now).await?;
        if let Some(old) = found {
            self.unlink(&old.id, now).await?;
        }
        self.known.forget();
        Ok(())
    }

    async fn keep(
        &self,
        name: &str,
        key: &ApiKey,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        let value = Bytes::from(serde_json::to_vec(key).unwrap_or_default());
        // The way by id first: without the key itself it leads nowhere.
        let by_id = Some(Bytes::copy_from_slice(name.as_bytes()));
        let (link, any) = (link(&key.id), Expected::Anything);
        self.registry
            .put(Kind::Setting, &link, any, by_id, None, now)
            .await?;
        self.registry
            .put(Kind::ApiKey, name, expected, Some(value), None, now)
            .await
    }

    /// Takes the way by id away.
    async fn unlink(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let (link, any) = (link(id), Expected::Anything);
        self.registry
            .put(Kind::Setting, &link, any, None, None, now)
            .await?;
        Ok(())
    }

    async fn by_name(&self, name: &str, now: Timestamp) -> Result<Option<ApiKey>, StoreError> {
        let entry = self.registry.get(Kind::ApiKey, name, now).await?;
        Ok(entry.and_then(|entry| decode(&entry)))
    }

    /// The key that `text` is, with its name.
    ///
    /// # Errors
    /// Where the registry is out of reach.
    pub async fn verify(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<(String, ApiKey)>>, StoreError> {
        let Some((id, _)) = super::key::split(text) else {
            return Ok(None);
        };
        let found = match self.known.find(&id) {
            Ok(found) => Some(found),
            Err(ticket) => {
                let loaded = self.by_id(&id, now).await?.map(Arc::new);
                if let Some(loaded) = &loaded {
                    self.known.keep(ticket, &id, Arc::clone(loaded));
                }
                loaded
            }
        };
        Ok(found.filter(|found| found.1.matches(text)))
    }

    async fn by_id(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<(String, ApiKey)>, StoreError> {
        let entry = self.registry.get(Kind::Setting, &link(id), now).await?;
        let Some(name) = entry.and_then(|entry| String::from_utf8(entry.value.to_vec()).ok())
        else {
            return Ok(None);
        };
        let key = self.by_name(&name, now).await?;
        Ok(key.map(|key| (name, key)))
    }

    /// All keys with their names, in order of the names.
    ///
    /// # Errors
    /// Where the registry is out of reach.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<(String, ApiKey)>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None::<Box<str>>);
        loop {
            let page = self
                .registry
                .list(Kind::ApiKey, after.as_deref(), PAGE, now)
                .await?;
            let is_last = page.len() < PAGE;
            for entry in page {
                all.extend(decode(&entry).map(|key| (entry.name.to_string(), key)));
                after = Some(entry.name);
            }
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Takes a key away; it opens nothing from the answer on.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Store`].
    pub async fn revoke(&self, name: &str, now: Timestamp) -> Result<(), KeyError> {
        let Some(entry) = self.registry.get(Kind::ApiKey, name, now).await? else {
            return Err(KeyError::Unknown(name.to_owned()));
        };
        let any = Expected::Anything;
        self.registry
            .put(Kind::ApiKey, name, any, None, None, now)
            .await?;
        self.known.forget();
        if let Some(key) = decode(&entry) {
            self.unlink(&key.id, now).await?;
        }
        Ok(())
    }

    /// Forgets what it knows whenever a key was written, here or by another process. Never ends.
    pub async fn watch(&self) {
        let mut seen = 0;
        loop {
            match self.registry.changed(Kind::ApiKey, seen).await {
                Ok(now) => seen = now,
                Err(error) => {
                    tracing::warn!(%error, "changes of API keys cannot be watched; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
            self.known.forget();
        }
    }
}

fn link(id: &str) -> String {
    format!("api-key-id/{id}")
}

fn decode(entry: &Entry) -> Option<ApiKey> {
    let key = serde_json::from_slice(&entry.value);
    if let Err(error) = &key {
        tracing::error!(%error, "an API key in the registry cannot be read");
    }
    key.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloakroom_core::store::memory::MemoryRegistry;

    const NOW: Timestamp = Timestamp::from_secs(1);

    fn keys() -> (ApiKeys, DynRegistry) {
        let registry = DynRegistry::new(MemoryRegistry::default());
        (ApiKeys::new(registry.clone()), registry)
    }

    #[tokio::test]
    async fn a_key_works_until_it_is_revoked_and_names_are_unique() {
        let (keys, registry) = keys();
        let made = keys
            .create("shop", vec![Scope::Admin], None, NOW)
            .await
            .unwrap();
        let taken = keys.create("shop", vec![], None, NOW).await;
        assert!(matches!(taken, Err(KeyError::Taken(_))));
        assert_eq!(
            keys.verify(&made.text, NOW).await.unwrap().unwrap().0,
            "shop"
        );
        assert_eq!(keys.list(NOW).await.unwrap().len(), 1);
        keys.revoke("shop", NOW).await.unwrap();
        assert!(keys.verify(&made.text, NOW).await.unwrap().is_none());
        assert!(matches!(
            keys.revoke("shop", NOW).await,
            Err(KeyError::Unknown(_))
        ));
        // Nothing is left behind, also not of the refused one.
        assert!(
            registry
                .list(Kind::Setting, None, 9, NOW)
                .await
                .unwrap()
                .is_empty()
        );
        // The name may be used again, and the old key stays dead.
        keys.create("shop", vec![], None, NOW).await.unwrap();
        assert!(keys.verify(&made.text, NOW).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_another_process_revokes_is_forgotten_here() {
        let (keys, registry) = keys();
        let made = keys.create("shop", vec![], None, NOW).await.unwrap();
        let watcher = keys.clone();
        let watch = tokio::spawn(async move { watcher.watch().await });
        assert!(keys.verify(&made.text, NOW).await.unwrap().is_some());
        ApiKeys::new(registry).revoke("shop", NOW).await.unwrap();
        for _ in 0..1000 {
            if keys.verify(&made.text, NOW).await.unwrap().is_none() {
                watch.abort();
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the revoked key still opens");
    }

    #[tokio::test]
    async fn an_adopted_key_takes_the_place_of_the_one_before() {
        let (keys, registry) = keys();
        let (one, two) = ("first-".repeat(8), "second-".repeat(8));
        for text in [&one, &one, &two] {
            let key = ApiKey::of_text(text, vec![Scope::Admin], 0).unwrap();
            keys.adopt("bootstrap", &key, NOW).await.unwrap();
            assert!(keys.verify(text, NOW).await.unwrap().is_some());
        }
        assert!(keys.verify(&one, NOW).await.unwrap().is_none());
        assert_eq!(
            registry
                .list(Kind::Setting, None, 9, NOW)
                .await
                .unwrap()
                .len(),
            1
        );
    }
}
