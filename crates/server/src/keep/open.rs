//! Opens store, registry, keys and clock, and puts the session engine on them.

use super::{clock, keys, policy};
use crate::{
    config::{self, Config},
    jobs,
    serve::DataDir,
};
use cloakroom::{
    CookieBuilder, CookieConfig, SameSite, Sessions, Transport, Transports, open_store,
    service::{Builder, SystemClock},
};
use cloakroom_core::store::{DynRegistry, DynStore, memory::MemoryRegistry};
use std::{error::Error, sync::Arc};

/// Everything that is kept, open.
pub struct Keep {
    /// The sessions, with the cookie and transports of this deployment.
    pub sessions: Sessions,
    /// People, API keys, codes and settings.
    pub registry: DynRegistry,
    /// Where sessions are, for the start message.
    pub sessions_are: String,
    /// Where people and keys are, for the start message.
    pub people_are: String,
    clock: Arc<SystemClock>,
    mark: clock::Place,
}

struct Places {
    store: DynStore,
    registry: DynRegistry,
    /// Whether other nodes have the same registry.
    is_shared: bool,
    sessions_are: String,
    people_are: String,
}

#[cfg(test)]
tokio::task_local! {
    /// What a test puts in the place of the configured store.
    pub(super) static PLANTED: (DynStore, DynRegistry);
}

impl Keep {
    /// Opens everything; `secure` says whether browsers reach us by https.
    ///
    /// # Errors
    /// What could not be opened, as one line.
    pub async fn open(
        config: &Config,
        data_dir: Option<&DataDir>,
        secure: bool,
    ) -> Result<Self, String> {
        let places = places(config, data_dir).await?;
        let shared = places.is_shared.then_some(&places.registry);
        let mark = clock::Place::of(shared.is_some(), &places.registry, data_dir);
        let clock = clock::start(&mark)
            .await
            .map_err(|error| one_line("reading the clock's mark", &error))?;
        let key = keys::renewal(&config.keys, data_dir, shared).await?;
        let sessions = configured(Sessions::builder_on(places.store), config, secure)?
            .clock(Arc::clone(&clock) as _)
            .renewal_key(key)
            .on_ended(jobs::note_ending)
            .build();
        Ok(Self {
            sessions,
            registry: places.registry,
            sessions_are: places.sessions_are,
            people_are: places.people_are,
            clock,
            mark,
        })
    }

    /// Keeps the clock's mark, so that the judged time goes on after a restart.
    ///
    /// # Errors
    /// Where the registry could not keep it.
    pub async fn mark_clock(&self) -> Result<(), cloakroom_core::StoreError> {
        clock::keep(&self.mark, &self.clock).await
    }
}

fn configured(builder: Builder, config: &Config, secure: bool) -> Result<Builder, String> {
    let cookie =
        cookie(&config.cookie, secure).map_err(|error| one_line("the session cookie", &error))?;
    Ok(builder
        .policy(policy::of(&config.session))
        .cookie(cookie)
        .transports(Transports::cookie().then(Transport::Bearer)))
}

fn cookie(config: &config::Cookie, secure: bool) -> Result<CookieConfig, cloakroom::CookieError> {
    let name = config
        .name
        .clone()
        .unwrap_or_else(|| config::default_cookie_name(secure, config.domain.is_some()).to_owned());
    let mut builder = CookieBuilder::default()
        .name(name)
        .secure(secure)
        .path(config.path.clone())
        .same_site(match config.same_site {
            config::SameSite::Strict => SameSite::Strict,
            config::SameSite::Lax => SameSite::Lax,
            config::SameSite::None => SameSite::None,
        })
        .persistent(config.persistent);
    if let Some(domain) = &config.domain {
        builder = builder.domain(domain.clone());
    }
    builder.build()
}

async fn places(config: &Config, data_dir: Option<&DataDir>) -> Result<Places, String> {
    #[cfg(test)]
    if let Ok((store, registry)) = PLANTED.try_with(Clone::clone) {
        return Ok(Places {
            store,
            registry,
            is_shared: false,
            sessions_are: String::new(),
            people_are: String::new(),
        });
    }
    let url = config.store.url.as_ref().ok_or("no store is configured")?;
    let opened = open_store(url.expose()).await;
    let opened = opened.map_err(|error| one_line("store.url", &error))?;
    let (is_shared, is_durable, is) = (opened.is_shared(), opened.is_durable(), opened.is);
    let in_store = opened.registry.filter(|_| is_durable || data_dir.is_none());
    // Of a registry in the data directory the other nodes know nothing.
    let registry_is_shared = is_shared && in_store.is_some();
    let (registry, people_are) = match (in_store, data_dir) {
        (Some(registry), _) => (registry, format!("in the same store, {is}")),
        (None, Some(data_dir)) => beside(data_dir).await?,
        (None, None) => (
            DynRegistry::new(MemoryRegistry::default()),
            "in memory; they go with this process".to_owned(),
        ),
    };
    let by_all = if is_shared {
        ", shared by all nodes"
    } else {
        ""
    };
    Ok(Places {
        store: opened.store,
        registry,
        is_shared: registry_is_shared,
        sessions_are: format!("{is}{by_all}"),
        people_are,
    })
}

/// The registry in the data directory.
async fn beside(data_dir: &DataDir) -> Result<(DynRegistry, String), String> {
    let path = data_dir.path().join("store");
    let opened = open_store(&format!("embedded:{}", path.display())).await;
    let opened =
        opened.map_err(|error| one_line("the data directory; --ephemeral does without", &error))?;
    let registry = opened
        .registry
        .ok_or("the embedded store has no registry")?;
    Ok((registry, opened.is))
}

/// An error and what caused it, in one line.
fn one_line(what: &str, error: &dyn Error) -> String {
    let mut line = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
