//! The store URL, and what can be set in it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder, SslOpts};
use percent_encoding::percent_decode_str;

use crate::url::{Params, UrlError};

/// How to reach the database, and how to use it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The server's name or address.
    pub host: String,
    /// Its port. Default 3306.
    pub port: u16,
    /// A Unix socket instead of host and port.
    pub socket: Option<String>,
    /// The account.
    pub user: String,
    /// Its password. Never shown.
    pub password: Option<String>,
    /// The database that has the tables; it must exist.
    pub database: String,
    /// How the connection is protected. Default: not at all on this machine, proven everywhere else.
    pub tls: Tls,
    /// How long an operation may take at most. Default 2 s.
    pub deadline: Duration,
    /// Connections at the same time. Default 8.
    pub connections: usize,
    /// How long a touch waits at most before it is written. Default 1 s.
    pub touch_every: Duration,
    /// Added to the server's clock, in milliseconds; for tests.
    #[doc(hidden)]
    pub clock_offset: Arc<AtomicI64>,
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Off,
    /// Encrypted, and the server proven by one of the authorities in this file, or by those that browsers trust.
    Verified(Option<PathBuf>),
}

impl Options {
    /// Reads `mysql://user:password@host:port/database?parameter=value&…`; `mariadb://` is the same.
    ///
    /// # Errors
    /// [`UrlError`] names the part that cannot be read, never its value.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        const FORM: UrlError = UrlError::Form("mysql://user:password@host:port/database");
        let rest = url
            .strip_prefix("mysql://")
            .or_else(|| url.strip_prefix("mariadb://"))
            .ok_or(FORM)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut params = Params::of(query)?;
        let (authority, database) = address.split_once('/').ok_or(FORM)?;
        // A password may have been written with an @ of its own.
        let (account, server) = authority.rsplit_once('@').ok_or(FORM)?;
        let (user, password) = match account.split_once(':') {
            Some((user, password)) => (user, Some(decode(password).ok_or(FORM)?)),
            None => (account, None),
        };
        let (host, port) = host_and_port(server).ok_or(FORM)?;
        let socket = params.take("socket");
        let (user, database) = (decode(user).ok_or(FORM)?, decode(database).ok_or(FORM)?);
        if user.is_empty() || database.is_empty() || (host.is_empty() && socket.is_none()) {
            return Err(FORM);
        }
        let file = params.read("password_file", "a file that can be read", read_secret)?;
        let tls = tls(&mut params, socket.is_some() || stays_here(host))?;
        let options = Self {
            host: host.to_owned(),
            port,
            socket,
            user,
            password: file.or(password),
            database,
            tls,
            deadline: params
                .duration("deadline")?
                .unwrap_or(Duration::from_secs(2)),
            connections: params.count("connections")?.unwrap_or(8),
            touch_every: Duration::from_secs(1),
            clock_offset: Arc::default(),
        };
        params.finish()?;
        Ok(options)
    }

    pub(super) fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    /// What the client library needs to know.
    pub(super) fn client(&self) -> Opts {
        // In whole seconds, so that a wait for a lock ends about when the operation does.
        let patience = self.deadline.as_secs().max(1);
        let setup = vec![
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
            format!(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES', innodb_lock_wait_timeout = {patience}"
            ),
        ];
        let tls = match &self.tls {
            Tls::Off => None,
            Tls::Verified(None) => Some(SslOpts::default()),
            Tls::Verified(Some(file)) => Some(
                SslOpts::default()
                    .with_root_certs(vec![file.clone().into()])
                    .with_disable_built_in_roots(true),
            ),
        };
        OptsBuilder::default()
            .ip_or_hostname(&*self.host)
            .tcp_port(self.port)
            .socket(self.socket.clone())
            // Only where the URL says so.
            .prefer_socket(false)
            .user(Some(&*self.user))
            .pass(self.password.clone())
            .db_name(Some(&*self.database))
            .tcp_nodelay(true)
            .stmt_cache_size(64)
            .setup(setup)
            .ssl_opts(tls)
            .into()
    }
}

fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

fn host_and_port(server: &str) -> Option<(&str, u16)> {
    const PORT: u16 = 3306;
    if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, port.parse().ok()?)),
            None => rest.is_empty().then_some((host, PORT)),
        };
    }
    match server.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((server, PORT)),
    }
}

fn read_secret(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Without a word about it, what leaves the machine is encrypted and the server proven.
fn tls(params: &mut Params, stays_here: bool) -> Result<Tls, UrlError> {
    let mode = params.read(
        "ssl-mode",
        "disabled or verify_identity",
        |mode| match &*mode.to_ascii_lowercase() {
            "disabled" => Some(false),
            "required" | "verify_ca" | "verify_identity" => Some(true),
            _ => None,
        },
    )?;
    let authorities = params.take("ssl-ca").map(PathBuf::from);
    let on = mode.unwrap_or(authorities.is_some() || !stays_here);
    Ok(if on {
        Tls::Verified(authorities)
    } else {
        Tls::Off
    })
}

fn stays_here(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("socket", &self.socket)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("deadline", &self.deadline)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_whole() {
        let url = "mysql://clo%40k:s%3Ae%2Fc@db.example:3307/sess?deadline=500ms&connections=3";
        let options = Options::from_url(url).unwrap();
        assert_eq!(options.user, "clo@k");
        assert_eq!(options.password.as_deref(), Some("s:e/c"));
        assert_eq!((&*options.host, options.port), ("db.example", 3307));
        assert_eq!(options.database, "sess");
        assert_eq!(options.deadline, Duration::from_millis(500));
        assert_eq!(options.connections, 3);
        assert_eq!(options.tls, Tls::Verified(None));
        assert!(!format!("{options:?}").contains("s:e/c"));
    }

    #[test]
    fn what_stays_on_this_machine_needs_no_tls() {
        let tls = |url| Options::from_url(url).unwrap().tls;
        assert_eq!(tls("mariadb://u@127.0.0.1/d"), Tls::Off);
        assert_eq!(tls("mariadb://u@[::1]:1/d"), Tls::Off);
        assert_eq!(tls("mysql://u@localhost/d?socket=/run/x"), Tls::Off);
        assert_eq!(tls("mysql://u@10.0.0.1/d?ssl-mode=DISABLED"), Tls::Off);
        let file = Tls::Verified(Some("/ca.pem".into()));
        assert_eq!(tls("mysql://u@127.0.0.1/d?ssl-ca=/ca.pem"), file);
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_value() {
        for url in [
            "mysql://u:hidden@h",
            "mysql://u:hidden@h/",
            "mysql://:hidden@h/d",
            "mysql://u:hidden@h:port/d",
            "mysql://u:hidden@h/d?deadline=hidden",
            "mysql://u:hidden@h/d?ssl-mode=hidden",
            "mysql://u@h/d?password_file=/hidden/hidden",
            "postgres://u:hidden@h/d",
        ] {
            let error = Options::from_url(url).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(!told.contains("hidden"), "{told}");
        }
    }
}
