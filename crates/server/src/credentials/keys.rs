//! API keys in the registry: by name, and from their public id to the name.

use super::{ApiKey, NewKey, Scope, key};
use bytes::Bytes;
use cloakroom_core::{
    App, StoreError, Timestamp,
    store::{DynRegistry, Expected, Kind, Put},
};

/// The API keys of a deployment.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    registry: DynRegistry,
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
        Self { registry }
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
        self.keep(name, &made.key, now).await?;
        Ok(made)
    }

    /// Takes a key whose text somebody else drew (`[bootstrap]`), unless one of this name is there: then that one stands.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn adopt(&self, name: &str, key: &ApiKey, now: Timestamp) -> Result<(), KeyError> {
        match self.keep(name, key, now).await {
            Err(KeyError::Taken(_)) => {
                if let Some(found) = self.by_name(name, now).await?
                    && found.id != key.id
                {
                    self.revoke(name, now).await?;
                    self.keep(name, key, now).await?;
                }
                Ok(())
            }
            other => other,
        }
    }

    async fn keep(&self, name: &str, key: &ApiKey, now: Timestamp) -> Result<(), KeyError> {
        let value = Bytes::from(serde_json::to_vec(key).unwrap_or_default());
        // The way by id first: without the key itself it leads nowhere.
        let by_id = Bytes::copy_from_slice(name.as_bytes());
        let id = by_id_name(&key.id);
        self.registry
            .put(
                Kind::Setting,
                &id,
                Expected::Anything,
                Some(by_id),
                None,
                now,
            )
            .await?;
        match self
            .registry
            .put(Kind::ApiKey, name, Expected::Absent, Some(value), None, now)
            .await?
        {
            Put::Done(_) => Ok(()),
            Put::Conflict(_) => Err(KeyError::Taken(name.to_owned())),
        }
    }

    async fn by_name(&self, name: &str, now: Timestamp) -> Result<Option<ApiKey>, StoreError> {
        let entry = self.registry.get(Kind::ApiKey, name, now).await?;
        Ok(entry.and_then(|entry| serde_json::from_slice(&entry.value).ok()))
    }

    /// The key that `text` is, with its name.
    ///
    /// # Errors
    /// Where the registry is out of reach.
    pub async fn verify(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<(String, ApiKey)>, StoreError> {
        let Some((id, _)) = key::split(text) else {
            return Ok(None);
        };
        let Some(name) = self
            .registry
            .get(Kind::Setting, &by_id_name(id), now)
            .await?
        else {
            return Ok(None);
        };
        let Ok(name) = String::from_utf8(name.value.to_vec()) else {
            return Ok(None);
        };
        let key = self.by_name(&name, now).await?;
        Ok(key.filter(|key| key.matches(text)).map(|key| (name, key)))
    }

    /// All keys with their names.
    ///
    /// # Errors
    /// Where the registry is out of reach.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<(String, ApiKey)>, StoreError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|(name, _): &(String, ApiKey)| name.clone());
            let page = self
                .registry
                .list(Kind::ApiKey, after.as_deref(), 500, now)
                .await?;
            let is_last = page.len() < 500;
            for entry in page {
                if let Ok(key) = serde_json::from_slice(&entry.value) {
                    all.push((entry.name.into(), key));
                }
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
        let Some(key) = self.by_name(name, now).await? else {
            return Err(KeyError::Unknown(name.to_owned()));
        };
        let (kind, any) = (Kind::ApiKey, Expected::Anything);
        self.registry.put(kind, name, any, None, None, now).await?;
        let id = by_id_name(&key.id);
        self.registry
            .put(Kind::Setting, &id, any, None, None, now)
            .await?;
        Ok(())
    }
}

fn by_id_name(id: &str) -> String {
    format!("api-key-id/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloakroom_core::store::memory::MemoryRegistry;

    const NOW: Timestamp = Timestamp::from_secs(1);

    #[tokio::test]
    async fn a_key_works_until_it_is_revoked_and_names_are_unique() {
        let keys = ApiKeys::new(DynRegistry::new(MemoryRegistry::default()));
        let made = keys
            .create("shop", vec![Scope::Admin], None, NOW)
            .await
            .unwrap();
        let taken = keys.create("shop", vec![], None, NOW).await;
        assert!(matches!(taken, Err(KeyError::Taken(_))));
        let (name, _) = keys.verify(&made.text, NOW).await.unwrap().unwrap();
        assert_eq!(name, "shop");
        assert_eq!(keys.list(NOW).await.unwrap().len(), 1);
        keys.revoke("shop", NOW).await.unwrap();
        assert!(keys.verify(&made.text, NOW).await.unwrap().is_none());
        assert!(matches!(
            keys.revoke("shop", NOW).await,
            Err(KeyError::Unknown(_))
        ));
        // The name may be used again, and the old key stays dead.
        keys.create("shop", vec![], None, NOW).await.unwrap();
        assert!(keys.verify(&made.text, NOW).await.unwrap().is_none());
    }
}
