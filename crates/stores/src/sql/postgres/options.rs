//! The store URL, and what can be set in it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::url::{Params, UrlError};

/// Parameters that go to the client library as they are.
const CLIENT: [&str; 13] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "port",
    "target_session_attrs",
    "tcp_user_timeout",
];
/// Bytes of a schema name, so that the name of the channel, which begins with a word of ours, is not cut off.
const SCHEMA_MAX: usize = 48;

/// How to reach the database, and how to use it.
#[derive(Clone)]
pub struct Options {
    /// Server, user, password.
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// The schema that holds the tables. Default `cloakroom`; made where it is missing.
    pub schema: String,
    /// How long an operation takes at most. Default 2 s.
    pub deadline: Duration,
    /// Connections for reads. Default 4: each carries many reads at once.
    pub read_connections: usize,
    /// Connections for writes. Default 8: each waits for one commit at a time, and the server makes several durable
    /// at once.
    pub write_connections: usize,
    /// Whether a pooler stands between that gives each transaction another session (PgBouncer's `transaction` mode):
    /// then nothing is set for a session, and changes are asked for instead of listened for. Default no.
    pub transaction_pooler: bool,
    /// Added to the server's clock, in milliseconds; for tests.
    #[doc(hidden)]
    pub clock_offset: Arc<AtomicI64>,
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all: a Unix socket, this machine, or by the operator's word.
    Off,
    /// Encrypted, and the server proven by one of these authorities, or by those that the system trusts.
    Verified(Option<PathBuf>),
}

impl Options {
    /// Reads `postgres://user:password@host:port/database?parameter=value&…`.
    ///
    /// # Errors
    /// [`UrlError`] names the part that cannot be read, never its value.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        const FORM: UrlError = UrlError::Form("postgres://user:password@host:port/database");
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut params = Params::of(query)?;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for name in CLIENT {
            if let Some(value) = params.take(name) {
                rest.append_pair(name, &value);
            }
        }
        // The client reads `%20` only, and no `+`.
        let rest = rest.finish().replace('+', "%20");
        let mut config: Config = format!("{address}?{rest}").parse().map_err(|_| FORM)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(FORM);
        }
        if config.get_application_name().is_none() {
            config.application_name("cloakroom");
        }
        if let Some(password) = password(&mut params)? {
            config.password(password);
        }
        let options = Self {
            tls: tls(&mut params, &mut config)?,
            config,
            schema: schema(&mut params)?,
            deadline: params
                .duration("deadline")?
                .unwrap_or(Duration::from_secs(2)),
            read_connections: params.count("read_connections")?.unwrap_or(4),
            write_connections: params.count("write_connections")?.unwrap_or(8),
            transaction_pooler: params
                .read("transaction_pooler", "yes or no", yes_or_no)?
                .unwrap_or(false),
            clock_offset: Arc::default(),
        };
        params.finish()?;
        Ok(options)
    }

    /// How long a connection may take to come up.
    pub(super) fn connect_timeout(&self) -> Duration {
        let default = Duration::from_secs(5);
        self.config
            .get_connect_timeout()
            .copied()
            .unwrap_or(default)
    }

    pub(super) fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    /// The channel of this schema's notices.
    pub(super) fn channel(&self) -> String {
        format!("cloakroom_{}", self.schema)
    }
}

fn password(params: &mut Params) -> Result<Option<String>, UrlError> {
    params.read("password_file", "a file that can be read", |path| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim_end_matches(['\r', '\n']).to_owned())
    })
}

/// Without a word about it, what leaves the machine is encrypted and the server proven.
fn tls(params: &mut Params, config: &mut Config) -> Result<Tls, UrlError> {
    let mode = params.read("sslmode", "disable or verify-full", |mode| match mode {
        "disable" => Some(false),
        "require" | "verify-ca" | "verify-full" => Some(true),
        _ => None,
    })?;
    let authorities = params.take("sslrootcert").filter(|path| path != "system");
    let on = mode.unwrap_or(authorities.is_some() || !stays_here(config));
    config.ssl_mode(if on {
        SslMode::Require
    } else {
        SslMode::Disable
    });
    Ok(if on {
        Tls::Verified(authorities.map(PathBuf::from))
    } else {
        Tls::Off
    })
}

/// Whether every host is this machine.
fn stays_here(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        return addresses.iter().all(std::net::IpAddr::is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    })
}

fn schema(params: &mut Params) -> Result<String, UrlError> {
    let wanted = "a name of at most 48 letters, digits and underscores that begins with no digit";
    let schema = params.read("schema", wanted, |name| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fits = !name.is_empty() && name.len() <= SCHEMA_MAX && name.chars().all(plain);
        (fits && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| name.to_owned())
    })?;
    Ok(schema.unwrap_or_else(|| "cloakroom".to_owned()))
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .field("tls", &self.tls)
            .field("schema", &self.schema)
            .field("deadline", &self.deadline)
            .field("read_connections", &self.read_connections)
            .field("write_connections", &self.write_connections)
            .field("transaction_pooler", &self.transaction_pooler)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_everything() {
        let url = "postgres://ann:s%26cret@db.example:5433/shop?schema=own&deadline=500ms\
            &read_connections=2&write_connections=3&transaction_pooler=yes&sslrootcert=%2Fca.pem&connect_timeout=1";
        let options = Options::from_url(url).unwrap();
        assert_eq!(options.config.get_user(), Some("ann"));
        assert_eq!(options.config.get_password(), Some(&b"s&cret"[..]));
        assert_eq!(options.config.get_ports(), [5433]);
        assert_eq!(options.config.get_dbname(), Some("shop"));
        assert_eq!(
            (options.schema.as_str(), options.deadline.as_millis()),
            ("own", 500)
        );
        assert_eq!(
            (options.read_connections, options.write_connections),
            (2, 3)
        );
        assert!(options.transaction_pooler);
        assert_eq!(options.tls, Tls::Verified(Some("/ca.pem".into())));
        assert_eq!(options.connect_timeout(), Duration::from_secs(1));
        assert!(!format!("{options:?}").contains("cret"), "{options:?}");
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_told_otherwise() {
        let tls = |url: &str| Options::from_url(url).unwrap().tls;
        let on = Tls::Verified(None);
        assert_eq!(tls("postgresql://u@localhost/d"), Tls::Off);
        assert_eq!(tls("postgres://u@[::1]/d"), Tls::Off);
        assert_eq!(tls("postgres:///d?host=/run/postgresql"), Tls::Off);
        assert_eq!(tls("postgres://u@db/d"), on);
        assert_eq!(tls("postgres://u@127.0.0.1,db/d"), on);
        assert_eq!(tls("postgres://u@localhost/d?sslmode=require"), on);
        assert_eq!(tls("postgres://u@db/d?sslmode=disable"), Tls::Off);
    }

    #[test]
    fn mistakes_are_named_without_their_values() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "from a file\n").unwrap();
        let url = format!("postgres://u@localhost/d?password_file={}", file.display());
        let options = Options::from_url(&url).unwrap();
        assert_eq!(options.config.get_password(), Some(&b"from a file"[..]));
        for wrong in [
            "mysql://u:secret@localhost/d",
            "postgres://u:secret@localhost:port/d",
            "postgres://",
            "postgres://u:secret@localhost/d?schema=Two",
            "postgres://u:secret@localhost/d?schema=a;b",
            "postgres://u:secret@localhost/d?deadline=0s",
            "postgres://u:secret@localhost/d?sslmode=prefer",
            "postgres://u:secret@localhost/d?options=-c%20x",
            "postgres://u:secret@localhost/d?password_file=/secret/none",
            "postgres://u:secret@localhost/d?transaction_pooler=secret",
        ] {
            let error = Options::from_url(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
