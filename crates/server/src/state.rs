//! What every handler can reach.

use crate::{
    config::{Config, WebOrigin},
    credentials::{ApiKeys, bootstrap},
    directory::Directory,
    front::Pages,
    gate::Origins,
    jobs::{self, Refused},
    keep::Keep,
    observe::{Health, Metrics},
    serve::{DataDir, Shutdown},
};
use cloakroom::Sessions;
use cloakroom_core::store::DynRegistry;
use http::HeaderValue;
use std::{fmt, net::SocketAddr, sync::Arc};

/// The file in the data directory that holds the first password of `admin` until the first login.
const FIRST_PASSWORD: &str = "initial-admin-password";

/// The state of the application; cloning it is cheap.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    config: Config,
    public: WebOrigin,
    hsts: Option<HeaderValue>,
    // Before the directory's lock, so that files are closed before another process may open them.
    keep: Keep,
    data_dir: Option<DataDir>,
    api_keys: ApiKeys,
    directory: Directory,
    origins: Origins,
    pages: Pages,
    refused: Refused,
    health: Health,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl AppState {
    /// Opens everything that requests need: for `serve`, and for a command that opens the data directory itself
    /// (then `bound` is `None`). What has to be flushed registers a hook with the [`Shutdown`], what can be out of
    /// reach a check with the [`Health`].
    ///
    /// # Errors
    /// What could not be opened, as one line for the operator.
    pub async fn open(
        config: Config,
        data_dir: Option<DataDir>,
        bound: Option<SocketAddr>,
    ) -> Result<Self, String> {
        let public = config.server.public_origin(bound);
        let (health, metrics, shutdown) =
            (Health::default(), Metrics::install(), Shutdown::default());
        let keep = Keep::open(
            &config,
            data_dir.as_ref(),
            config.server.cookies_are_secure(),
        )
        .await?;
        let api_keys = ApiKeys::new(keep.registry.clone());
        bootstrap(&config.bootstrap, &api_keys, keep.sessions.now()).await?;
        let directory = Directory::new(
            keep.registry.clone(),
            keep.sessions.clone(),
            &config.argon2,
            data_dir.as_ref().map(|dir| dir.path().join(FIRST_PASSWORD)),
        );
        let origins = Origins::of(&config, &public);
        let hsts = hsts(&config, &public);
        let state = Self(Arc::new(Inner {
            config,
            public,
            hsts,
            api_keys,
            directory,
            origins,
            pages: Pages::default(),
            refused: Refused::default(),
            keep,
            data_dir,
            health,
            metrics,
            shutdown,
        }));
        jobs::flush_at_the_end(&state);
        Ok(state)
    }

    /// The configuration, complete and checked.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The origin that browsers see; every Location begins with it.
    #[must_use]
    pub fn public_origin(&self) -> &WebOrigin {
        &self.0.public
    }

    /// The value of `Strict-Transport-Security`, where the header is sent.
    #[must_use]
    pub fn hsts(&self) -> Option<&HeaderValue> {
        self.0.hsts.as_ref()
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.0.keep.sessions
    }

    /// People, API keys, codes and settings.
    #[must_use]
    pub fn registry(&self) -> &DynRegistry {
        &self.0.keep.registry
    }

    /// Service credentials.
    #[must_use]
    pub fn api_keys(&self) -> &ApiKeys {
        &self.0.api_keys
    }

    /// Counts tokens that opened nothing.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.0.refused
    }

    /// The people who may log in.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// Where people may be sent, and which hosts we answer for.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.0.origins
    }

    /// The pages' templates.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        &self.0.pages
    }

    /// What every address of a page begins with: public origin and base path.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}{}", self.0.public, self.0.config.server.base_path)
    }

    /// The page of the public host that sends a signed-in person on to `place`, to a host with a cookie of its own too.
    #[must_use]
    pub fn continue_url(&self, place: &url::Url) -> String {
        let place = form_urlencoded(place.as_str());
        format!("{}/continue?return_to={place}", self.base_url())
    }

    /// The login page, or one's own login form, that leads back to `return_to`. One's own form can set the cookie of the
    /// public host alone, so for other hosts it is given an address of the public host that carries the login on.
    #[must_use]
    pub fn login_url(&self, return_to: Option<&str>) -> String {
        let own = self.0.config.login.url.clone();
        let onward = own.as_ref().and(return_to).and_then(|return_to| {
            let place = self.0.origins.place(return_to)?;
            let origin = WebOrigin::of(&place)?;
            let is_apart = self.0.origins.is_apart(&origin);
            is_apart.then(|| self.continue_url(&place))
        });
        let return_to = onward.as_deref().or(return_to);
        let page = own.or_else(|| url::Url::parse(&format!("{}/login", self.base_url())).ok());
        let Some(mut page) = page else {
            return self.base_url();
        };
        if let Some(return_to) = return_to {
            page.query_pairs_mut().append_pair("return_to", return_to);
        }
        page.into()
    }

    /// Everything that is kept.
    #[must_use]
    pub fn keep(&self) -> &Keep {
        &self.0.keep
    }

    /// The data directory; `None` with `--ephemeral`.
    #[must_use]
    pub fn data_dir(&self) -> Option<&DataDir> {
        self.0.data_dir.as_ref()
    }

    /// Readiness checks.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// The metrics recorder.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Hooks that run when the process stops, and the signal that it is about to.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }
}

/// OW-6, AV-3.4.1: only where browsers come by https, else the header is ignored. Never for this machine itself: the
/// host `localhost` belongs to every other program on it, and browsers forget the header only after its time.
fn hsts(config: &Config, public: &WebOrigin) -> Option<HeaderValue> {
    let period = config.server.hsts.on()?;
    let sent = public.is_https() && !public.is_loopback();
    sent.then(|| HeaderValue::try_from(format!("max-age={}", period.get().as_secs())).ok())?
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

/// As it stands in a query.
fn form_urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
