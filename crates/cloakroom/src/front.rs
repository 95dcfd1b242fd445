//! How sessions meet HTTP: settings of the layer, beside those of the engine.

mod sweeper;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap};

use crate::cookie::CookieConfig;
use crate::layer::SessionLayer;
use crate::service::{Builder, Sessions};
use crate::transport::Transports;

type ClientIp = dyn Fn(&HeaderMap, &Extensions) -> Option<IpAddr> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) cookie: CookieConfig,
    pub(crate) transports: Transports,
    pub(crate) client_ip: Option<Arc<ClientIp>>,
    pub(crate) watch_every: Duration,
    pub(crate) sweeper: Arc<sweeper::Sweeper>,
}

impl Default for Front {
    fn default() -> Self {
        Self {
            cookie: CookieConfig::default(),
            transports: Transports::default(),
            client_ip: None,
            // Ends by other processes are seen within this; one load per open socket and interval is little.
            watch_every: Duration::from_secs(5),
            sweeper: Arc::default(),
        }
    }
}

impl Builder {
    /// The session cookie. Default `__Host-session; HttpOnly; Secure; SameSite=Lax; Path=/`.
    #[must_use]
    pub fn cookie(mut self, cookie: CookieConfig) -> Self {
        self.front.cookie = cookie;
        self
    }

    /// How tokens travel. Default: the cookie alone.
    #[must_use]
    pub fn transports(mut self, transports: Transports) -> Self {
        self.front.transports = transports;
        self
    }

    /// How to tell the client's address, for the person's list of devices. Default: it is not noted, because behind a
    /// proxy only you know which header to believe.
    #[must_use]
    pub fn client_ip(
        mut self,
        of: impl Fn(&HeaderMap, &Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.front.client_ip = Some(Arc::new(of));
        self
    }

    /// How often [`Session::ended`](crate::Session::ended) looks at the record for an end that another process brought
    /// about. Default 5 s; ends by this process are seen at once.
    #[must_use]
    pub fn watch_every(mut self, interval: Duration) -> Self {
        self.front.watch_every = interval;
        self
    }
}

impl Sessions {
    /// The layer that gives every request its [`Session`](crate::Session).
    pub fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.clone())
    }

    /// The session cookie.
    pub fn cookie(&self) -> &CookieConfig {
        &self.inner.front.cookie
    }

    /// How tokens travel.
    pub fn transports(&self) -> &Transports {
        &self.inner.front.transports
    }
}
