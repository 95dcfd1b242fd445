//! Which servers, how to log in to them, and how long to wait: the store URL.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::url::{Params, UrlError};

/// The form of a store URL, for errors.
const FORM: &str = "redis://[user[:password]@]host[:port][/db], rediss://…, \
                    redis-cluster://host:port,…, redis-sentinel://host:port,…/master-name";

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Name or address.
    pub host: Box<str>,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How the servers hang together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single(Endpoint),
    /// A Cluster, of which these are members.
    Cluster(Vec<Endpoint>),
    /// A primary with replicas, watched by these sentinels under that name.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<Endpoint>,
        /// What they call the primary.
        master: Box<str>,
    },
}

/// TLS: whom to trust, and who we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates to trust instead of the system's, PEM.
    pub ca: Option<Vec<u8>>,
    /// Our certificate and its key, PEM.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Where the sessions are and how to get at them. Start with [`Options::new`] or [`Options::from_url`].
#[derive(Clone)]
pub struct Options {
    /// The servers.
    pub topology: Topology,
    /// The ACL user.
    pub user: Option<Box<str>>,
    /// The password.
    pub password: Option<Box<str>>,
    /// The password of the sentinels, where they have one.
    pub sentinel_password: Option<Box<str>>,
    /// The database; 0 in a Cluster.
    pub db: i64,
    /// TLS, where it is wanted.
    pub tls: Option<Tls>,
    /// What every key begins with. Default `cloakroom:`.
    pub prefix: Box<str>,
    /// How long one command may take, tries included. Default 250 ms.
    pub deadline: Duration,
    /// Replicas that must have a security write before it is answered. Default: 1 where there are replicas.
    pub replicas: Option<u32>,
    /// Whether a security write that reached fewer replicas than that is an error. Default: no, it is logged.
    pub strict_replicas: bool,
    /// Into how many parts sessions are divided; all nodes must say the same. Default 1,024.
    pub buckets: u16,
    /// Whether what is answered survives a crash. Default: as the server says.
    pub durable: Option<bool>,
    /// Whether a server that may evict keys is accepted. Default: no, it might forget a revocation.
    pub allow_eviction: bool,
    /// Bytes of records that were loaded a moment ago, kept to begin an update from. Default 16 MiB.
    pub recent_bytes: usize,
    /// Milliseconds that this handle's time is ahead of the server's, for tests.
    #[doc(hidden)]
    pub clock_offset: Arc<AtomicI64>,
}

impl Options {
    /// The defaults, for these servers.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            user: None,
            password: None,
            sentinel_password: None,
            db: 0,
            tls: None,
            prefix: "cloakroom:".into(),
            deadline: Duration::from_millis(250),
            replicas: None,
            strict_replicas: false,
            buckets: 1024,
            durable: None,
            allow_eviction: false,
            recent_bytes: 16 * 1024 * 1024,
            clock_offset: Arc::default(),
        }
    }

    /// Reads a store URL; `docs/stores/redis.md` lists its parameters.
    ///
    /// # Errors
    /// [`UrlError`] says which part cannot be read.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let (whole, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, rest) = whole.split_once("://").ok_or(UrlError::Form(FORM))?;
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
        let sentinel = matches!(scheme, "redis-sentinel" | "rediss-sentinel");
        let port = if sentinel { 26379 } else { 6379 };
        let hosts = endpoints(hosts, port).ok_or(UrlError::Form(FORM))?;
        let mut db = 0;
        let topology = match scheme {
            "redis" | "rediss" => {
                db = number(path).ok_or(UrlError::Form(FORM))?;
                let [host] = <[Endpoint; 1]>::try_from(hosts).map_err(|_| UrlError::Form(FORM))?;
                Topology::Single(host)
            }
            "redis-cluster" | "rediss-cluster" if path.is_empty() => Topology::Cluster(hosts),
            "redis-sentinel" | "rediss-sentinel" => {
                let (master, number_of) = path.split_once('/').unwrap_or((path, ""));
                db = number(number_of).ok_or(UrlError::Form(FORM))?;
                let master = decoded(master).filter(|name| !name.is_empty());
                Topology::Sentinel {
                    sentinels: hosts,
                    master: master.ok_or(UrlError::Form(FORM))?,
                }
            }
            _ => return Err(UrlError::Form(FORM)),
        };
        let mut options = Self::new(topology);
        options.db = db;
        if scheme.starts_with("rediss") {
            options.tls = Some(Tls::default());
        }
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let part = |text| {
                decoded(text)
                    .ok_or(UrlError::Form(FORM))
                    .map(|part| Some(part).filter(|part| !part.is_empty()))
            };
            (options.user, options.password) = (part(user)?, part(password)?);
        }
        options.parameters(Params::of(query)?)?;
        Ok(options)
    }

    fn parameters(&mut self, mut params: Params) -> Result<(), UrlError> {
        if params.read("tls", "true or false", flag)? == Some(true) {
            self.tls.get_or_insert_default();
        }
        let ca = file(&mut params, "ca_file")?;
        let certificate = file(&mut params, "cert_file")?;
        let key = file(&mut params, "key_file")?;
        if ca.is_some() || certificate.is_some() || key.is_some() {
            let tls = self.tls.get_or_insert_default();
            tls.ca = ca;
            tls.client = match (certificate, key) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                (Some(_), None) => return Err(missing("key_file")),
                (None, Some(_)) => return Err(missing("cert_file")),
            };
        }
        if let Some(user) = params.take("user") {
            self.user = Some(user.into());
        }
        if let Some(password) = secret(&mut params, "password_file")? {
            self.password = Some(password);
        }
        self.sentinel_password = secret(&mut params, "sentinel_password_file")?;
        let wanted = "text without braces, at most 64 bytes";
        let prefix = params.read("prefix", wanted, |text| {
            let fits = !text.contains(['{', '}']) && text.len() <= 64;
            fits.then(|| text.into())
        })?;
        self.prefix = prefix.unwrap_or_else(|| self.prefix.clone());
        self.deadline = params.duration("deadline")?.unwrap_or(self.deadline);
        self.replicas = params.read("replicas", "a number", |text| text.parse().ok())?;
        let strict = params.read("strict_replicas", "true or false", flag)?;
        self.strict_replicas = strict.unwrap_or(false);
        let buckets = params.read("buckets", "a number from 1 to 16384", |text| {
            text.parse()
                .ok()
                .filter(|count| (1..=16384).contains(count))
        })?;
        self.buckets = buckets.unwrap_or(self.buckets);
        self.durable = params.read("durable", "true or false", flag)?;
        let evict = params.read("allow_eviction", "true or false", flag)?;
        self.allow_eviction = evict.unwrap_or(false);
        params.finish()
    }
}

/// Without the secrets.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("topology", &self.topology)
            .field("user", &self.user)
            .field("tls", &self.tls.is_some())
            .field("prefix", &self.prefix)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

fn endpoints(hosts: &str, port: u16) -> Option<Vec<Endpoint>> {
    hosts.split(',').map(|text| endpoint(text, port)).collect()
}

/// Reads `host`, `host:port` or `[address]:port`.
pub(super) fn endpoint(text: &str, default_port: u16) -> Option<Endpoint> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':').unwrap_or(""))
        }
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = if port.is_empty() {
        default_port
    } else {
        port.parse().ok()?
    };
    let host: Box<str> = host.into();
    (!host.is_empty()).then_some(Endpoint { host, port })
}

fn decoded(text: &str) -> Option<Box<str>> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into())
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    text.parse().ok().filter(|db| *db >= 0)
}

fn flag(text: &str) -> Option<bool> {
    text.parse().ok()
}

fn missing(parameter: &'static str) -> UrlError {
    UrlError::Value {
        parameter,
        wanted: "given where the other of cert_file and key_file is",
    }
}

fn file(params: &mut Params, name: &'static str) -> Result<Option<Vec<u8>>, UrlError> {
    params.read(name, "the path of a file that can be read", |path| {
        std::fs::read(Path::new(path)).ok()
    })
}

/// A secret in a file, without the line's end.
fn secret(params: &mut Params, name: &'static str) -> Result<Option<Box<str>>, UrlError> {
    params.read(name, "the path of a text file that can be read", |path| {
        let text = std::fs::read_to_string(Path::new(path)).ok()?;
        Some(text.trim_end_matches(['\r', '\n']).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Endpoint {
        let host = host.into();
        Endpoint { host, port }
    }

    #[test]
    fn every_form_of_url() {
        let options = Options::from_url("redis://u%40x:p%2Fw@db.example:7000/3").unwrap();
        assert_eq!(options.topology, Topology::Single(at("db.example", 7000)));
        assert_eq!(options.user.as_deref(), Some("u@x"));
        assert_eq!(options.password.as_deref(), Some("p/w"));
        assert_eq!((options.db, options.tls), (3, None));
        let options = Options::from_url("rediss://:pw@[::1]?deadline=1s&replicas=2").unwrap();
        assert_eq!(options.topology, Topology::Single(at("::1", 6379)));
        assert_eq!(options.user, None);
        assert_eq!(options.deadline, Duration::from_secs(1));
        assert!(options.tls.is_some());
        let options = Options::from_url("redis-cluster://a:1,b:2,c").unwrap();
        let nodes = vec![at("a", 1), at("b", 2), at("c", 6379)];
        assert_eq!(options.topology, Topology::Cluster(nodes));
        let options = Options::from_url("redis-sentinel://a,b:2/main").unwrap();
        let wanted = Topology::Sentinel {
            sentinels: vec![at("a", 26379), at("b", 2)],
            master: "main".into(),
        };
        assert_eq!(options.topology, wanted);
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_no_secret_is_told() {
        for wrong in [
            "redis:host",
            "redis://",
            "redis://a,b",
            "redis://a:port",
            "redis://a/-1",
            "redis-cluster://a/1",
            "redis-sentinel://a",
            "valkey://a",
            "redis://a?prefix=%7Bx%7D",
            "redis://a?buckets=0",
            "redis://a?unknown=1",
            "redis://a?cert_file=/dev/null",
            "redis://a?password_file=/none/such",
        ] {
            assert!(Options::from_url(wrong).is_err(), "{wrong}");
        }
        let options = Options::from_url("redis://u:hunter2@a").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        let error = Options::from_url("redis://u:hunter2@a?x=1").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
