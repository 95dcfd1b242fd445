//! Opens store, registry, keys and clock, and puts the session engine on them.

use super::{clock, keys, policy};
use crate::{
    config::{self, Config},
    jobs,
    serve::DataDir,
};
use cloakroom::{
    CookieBuilder, CookieConfig, SameSite, Sessions, Transport, Transports,
    service::{Builder, SystemClock},
};
use cloakroom_core::store::{
    DynRegistry, DynStore,
    memory::{Full, MemoryRegistry, MemoryStore},
};
#[cfg(feature = "embedded")]
use cloakroom_stores::embedded::{EmbeddedStore, Options};
use std::{error::Error, path::Path, sync::Arc};

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
}

struct Places {
    store: DynStore,
    registry: DynRegistry,
    sessions_are: String,
    people_are: String,
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
        let places = places(config, data_dir)?;
        let clock = clock::start(&places.registry)
            .await
            .map_err(|error| one_line("reading the clock's mark", &error))?;
        let key = keys::renewal(&config.keys, data_dir)?;
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
        })
    }

    /// Keeps the clock's mark, so that the judged time goes on after a restart.
    ///
    /// # Errors
    /// Where the registry could not keep it.
    pub async fn mark_clock(&self) -> Result<(), cloakroom_core::StoreError> {
        clock::keep(&self.registry, &self.clock).await
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

fn places(config: &Config, data_dir: Option<&DataDir>) -> Result<Places, String> {
    let url = config.store.url.as_ref().ok_or("no store is configured")?;
    let rest = url.expose().split_once(':').map_or("", |(_, rest)| rest);
    match url.scheme() {
        "memory" => in_memory(rest, data_dir),
        "embedded" => {
            let path = Path::new(rest);
            let (store, registry) = embedded(path)?;
            Ok(Places {
                store,
                registry,
                sessions_are: format!("on disk, in {}", path.display()),
                people_are: format!("in the same store, {}", path.display()),
            })
        }
        scheme @ ("files" | "postgres" | "postgresql" | "mysql" | "sqlite" | "redis" | "rediss"
        | "redis-cluster" | "redis-sentinel" | "cluster" | "sealed") => Err(format!(
            "store.url: this build has no `{scheme}:` store; it has `memory:` and `embedded:` (feature `{scheme}` is not there yet)"
        )),
        scheme => Err(format!(
            "store.url: `{scheme}:` is no kind of store; there are `memory:` and `embedded:PATH`"
        )),
    }
}

fn in_memory(rest: &str, data_dir: Option<&DataDir>) -> Result<Places, String> {
    let store = memory(rest)?;
    let (registry, people_are) = match data_dir {
        None => (
            DynRegistry::new(MemoryRegistry::default()),
            "in memory; they go with this process".to_owned(),
        ),
        Some(data_dir) => {
            let path = data_dir.path().join("store");
            (
                embedded(&path)?.1,
                format!("on disk, in {}", path.display()),
            )
        }
    };
    Ok(Places {
        store: DynStore::new(store),
        registry,
        sessions_are: "in memory; they go with this process".to_owned(),
        people_are,
    })
}

/// Sessions and registry in one database.
#[cfg(feature = "embedded")]
fn embedded(path: &Path) -> Result<(DynStore, DynRegistry), String> {
    let store = EmbeddedStore::open(path, Options::default())
        .map_err(|error| one_line(&format!("the store in {}", path.display()), &error))?;
    let store = Arc::new(store);
    Ok((
        DynStore::from_arc(Arc::clone(&store)),
        DynRegistry::from_arc(store),
    ))
}

#[cfg(not(feature = "embedded"))]
fn embedded(path: &Path) -> Result<(DynStore, DynRegistry), String> {
    Err(format!(
        "{} cannot be opened: this build has no `embedded:` store (feature `embedded`); run with --ephemeral",
        path.display()
    ))
}

fn memory(rest: &str) -> Result<MemoryStore, String> {
    let query = rest.strip_prefix('?').unwrap_or(rest);
    let mut builder = MemoryStore::builder();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wrong = |wanted: &str| format!("store.url: `{name}={value}`: {wanted}");
        builder = match name {
            "reserve" => {
                let size: config::Size = value
                    .parse()
                    .map_err(|_| wrong("write a size such as 64MiB"))?;
                builder.reserve(size.as_usize())
            }
            "max_sessions" => builder.max_sessions(
                value
                    .parse()
                    .ok()
                    .filter(|number| *number > 0)
                    .ok_or_else(|| wrong("write a number of at least 1"))?,
            ),
            "full" => builder.full(match value {
                "evict" => Full::Evict,
                "reject" => Full::Reject,
                _ => return Err(wrong("write evict or reject")),
            }),
            _ => {
                return Err(format!(
                    "store.url: `memory:` knows reserve, max_sessions and full, not `{name}`"
                ));
            }
        };
    }
    Ok(builder.build())
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
