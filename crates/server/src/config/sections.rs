//! The sections of the configuration and their defaults. Why a default is what it is: `docs/defaults.md`.

use super::{AccessRule, Listen, OffOr, Period, SameSite, Secret, Size, StoreUrl, Tls, WebOrigin};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use std::{net::IpAddr, path::PathBuf};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[session]`
    pub session: Session,
    /// `[cookie]`
    pub cookie: Cookie,
    /// `[login]`
    pub login: Login,
    /// `[proxy]`
    pub proxy: Proxy,
    /// `[bootstrap]`
    pub bootstrap: Bootstrap,
    /// `[keys]`
    pub keys: Keys,
    /// `[log]`
    pub log: Log,
    /// `[argon2]`
    pub argon2: Argon2,
    /// `[[access]]`: the first rule that matches decides; without any rule every signed-in person is allowed.
    pub access: Vec<AccessRule>,
}

/// `[server]`: where it listens, what it is called from outside, and its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where requests arrive.
    pub listen: Listen,
    /// The origin that browsers see. The cookie's name and `Secure` follow from it alone.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "public_url"
    )]
    pub public_url: Option<WebOrigin>,
    /// In front of every browser path, empty or as `/_auth`.
    pub base_path: String,
    /// Where everything that must outlive the process is kept.
    pub data_dir: PathBuf,
    /// Write nothing to disk at all.
    pub ephemeral: bool,
    /// Allow plain http to a host that is not this machine. Session tokens then travel readable by anybody between.
    pub dangerously_allow_plain_http: bool,
    /// The longest request body.
    pub request_body_limit: Size,
    /// The longest request head (request line and headers), in HTTP/1 and HTTP/2.
    pub request_head_limit: Size,
    /// How long a client may take to send a request head.
    pub head_timeout: Period,
    /// How long a request may take until its answer begins.
    pub request_timeout: Period,
    /// How long open requests may take to finish after SIGTERM.
    pub drain_timeout: Period,
    /// The most connections at a time; more wait in the system's queue.
    pub max_connections: u32,
    /// For how long browsers shall come by https only (`Strict-Transport-Security`, RFC 6797). It is sent where the
    /// public origin is https and not this machine itself.
    pub hsts: OffOr<Period>,
    /// Threads that carry requests; `None` takes one for each processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u16>,
    /// `[server.tls]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// Here a slash at the end is harmless, and many write it; in lists of origins it is refused (FM-4).
fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WebOrigin>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.strip_suffix('/')
        .unwrap_or(&text)
        .parse()
        .map(Some)
        .map_err(serde::de::Error::custom)
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(([127, 0, 0, 1], 7878).into()),
            public_url: None,
            base_path: String::new(),
            data_dir: "cloakroom-data".into(),
            ephemeral: false,
            dangerously_allow_plain_http: false,
            request_body_limit: Size::kib(128),
            request_head_limit: Size::kib(32),
            head_timeout: Period::seconds(10),
            request_timeout: Period::seconds(30),
            drain_timeout: Period::seconds(25),
            max_connections: 16_384,
            hsts: OffOr::On(Period::seconds(365 * 24 * 3600)),
            workers: None,
            tls: None,
        }
    }
}

/// `[store]`: where session records live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// A store URL (INTERFACE section 2). After loading it is always there: `embedded:` in the data directory, or
    /// `memory:` with `--ephemeral`, where none was given.
    pub url: Option<StoreUrl>,
    /// A file that holds the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
}

/// `[session]`: how long sessions live and how much they hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// A session ends after so long without a request.
    pub idle_timeout: Period,
    /// A session ends so long after it began, whatever happens.
    pub absolute_timeout: Period,
    /// A touch is written at most once in this time; `off` derives it: min(60 s, 5% of the idle timeout), at least 1 s.
    pub touch_every: OffOr<Period>,
    /// Renew the token by timer.
    pub renew_every: OffOr<Period>,
    /// How long the token before a renewal by timer still works after the new one was first seen.
    pub renew_grace: Period,
    /// The most sessions of one subject.
    pub max_per_subject: u32,
    /// What happens at a login beyond that.
    pub on_full: OnFull,
    /// The most bytes of data in one session, as JSON.
    pub data_limit: Size,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            idle_timeout: Period::seconds(30 * 60),
            absolute_timeout: Period::seconds(12 * 3600),
            touch_every: OffOr::Off,
            renew_every: OffOr::Off,
            renew_grace: Period::seconds(10),
            max_per_subject: 32,
            on_full: OnFull::EndOldest,
            data_limit: Size::kib(64),
        }
    }
}

/// What happens when a subject has all the sessions it may have and one more begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFull {
    /// The oldest session ends.
    EndOldest,
    /// The new one is refused.
    Deny,
    /// The limit is not enforced.
    Allow,
}

/// `[cookie]`: the session cookie. `Secure` is not here: it follows from `server.public_url`; `HttpOnly` always is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cookie {
    /// Its name. After loading it is always there, see [`super::default_cookie_name`].
    pub name: Option<String>,
    /// Share one cookie between all hosts below this domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its path.
    pub path: String,
    /// Its `SameSite`.
    pub same_site: SameSite,
    /// Whether it outlives the browser, with `Max-Age`.
    pub persistent: bool,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: None,
            domain: None,
            path: "/".into(),
            same_site: SameSite::Lax,
            persistent: false,
        }
    }
}

/// `[login]`: who shows the login form and where a person may be sent afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// One's own login form in place of the built-in page; it calls `POST /v1/sessions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<url::Url>,
    /// Origins besides the public one to which `return_to` may lead (FM-4: exact).
    pub allowed_origins: Vec<WebOrigin>,
    /// Whoever proved himself longer ago types the password again before ending other sessions (AV-7.5.2).
    pub reauthenticate_after: Period,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            url: None,
            allowed_origins: Vec::new(),
            reauthenticate_after: Period::seconds(5 * 60),
        }
    }
}

/// `[proxy]`: whose `X-Forwarded-*` and `X-Original-*` headers are believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// The networks of trusted proxies.
    pub trusted: Vec<Network>,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            trusted: vec![
                Network(IpNet::V4(LOOPBACK_V4)),
                Network(IpNet::from(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST))),
            ],
        }
    }
}

const LOOPBACK_V4: ipnet::Ipv4Net =
    ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8);

impl Proxy {
    /// Whether this peer is a trusted proxy. A connection over a unix socket (`None`) is: its file permissions let
    /// it in.
    #[must_use]
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        // An IPv4 client of a dual-stack socket shows as ::ffff:a.b.c.d.
        peer.is_none_or(|address| {
            self.trusted
                .iter()
                .any(|network| network.0.contains(&address.to_canonical()))
        })
    }
}

/// A network such as `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Network(pub IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| {
            serde::de::Error::custom(format!(
                "`{text}` is no network: write 10.0.0.0/8 or an address"
            ))
        })
    }
}

/// `[bootstrap]`: the first API key, without a shell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bootstrap {
    /// The key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// The file that holds the key. Where it does not exist yet, the server makes a key and writes it there (0600).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
}

/// `[keys]`: the key-encryption key of the key ring; never in the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// 32 bytes in base64: the same on all nodes of a shared store, whose key ring it opens. Without it the server keeps one
    /// in `keys/` of the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A file that holds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
}

/// `[log]`: what is logged, to standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,audit=off`. SIGHUP reads it anew.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".into(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON document a line.
    Json,
}

/// `[argon2]`: the cost of a password hash (Argon2id, RFC 9106).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Argon2 {
    /// Memory for one hash.
    pub memory: Size,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// The most hashes under way at a time, each with its memory; without it half the processors, 1 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
}

impl Default for Argon2 {
    fn default() -> Self {
        Self {
            memory: Size::kib(19 * 1024),
            iterations: 2,
            parallelism: 1,
            at_once: None,
        }
    }
}
