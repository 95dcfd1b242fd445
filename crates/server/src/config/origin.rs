//! Web origins: exact scheme, host and port, nothing else (FM-4).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, net::IpAddr, str::FromStr};
use url::{Host, Url};

/// An origin in the web's sense, compared exactly: `https://app.example.com` or `http://127.0.0.1:8080`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebOrigin {
    https: bool,
    host: String,
    port: u16,
}

impl WebOrigin {
    /// The origin of a parsed URL; `None` where the scheme is not http(s) or there is no host.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host_str()?.trim_end_matches('.').to_owned();
        Some(Self {
            https,
            host,
            port: url.port_or_known_default()?,
        })
    }

    /// Puts an origin together, as a listener does that has no public URL.
    #[must_use]
    pub fn new(https: bool, host: &str, port: u16) -> Self {
        Self {
            https,
            host: host.to_ascii_lowercase(),
            port,
        }
    }

    /// Whether the scheme is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host in lower case; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of a `Host` header that names this origin: the port stands only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let standard = if self.https { 443 } else { 80 };
        if self.port == standard {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the host can only be this machine (`localhost`, `*.localhost`, a loopback address), where browsers
    /// treat plain http as trustworthy.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// Whether the host is an address and not a name.
    #[must_use]
    pub fn is_address(&self) -> bool {
        Host::parse(&self.host).is_ok_and(|host| !matches!(host, Host::Domain(_)))
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("`{text}` is no origin: {why}; write https://app.example.com");
        if text == "null" {
            return Err(wrong("`null` may be anybody"));
        }
        let url = Url::parse(text).map_err(|_| wrong("it does not parse"))?;
        let origin = Self::of(&url).ok_or_else(|| wrong("the scheme is neither https nor http"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it has a user name"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or fragment"));
        }
        // The parser also takes `https:app.example.com` and backslashes; an exact entry has neither.
        let Some((_, after_scheme)) = text.split_once("://") else {
            return Err(wrong("it has no `://`"));
        };
        if after_scheme.ends_with('/') && url.path() == "/" {
            return Err(wrong("it ends with a slash"));
        }
        if after_scheme.contains(['/', '\\']) {
            return Err(wrong("it has a path"));
        }
        if origin.host.contains('*') {
            return Err(wrong("it has a wildcard"));
        }
        Ok(origin)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.https { "https" } else { "http" },
            self.authority()
        )
    }
}

impl Serialize for WebOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WebOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fm_4_refuses_whatever_is_not_exactly_an_origin() {
        for text in [
            "null",
            "",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://app.example.com?x",
            "https://app.example.com#x",
            "https://me@app.example.com",
            "https://*.example.com",
            "ftp://app.example.com",
            "https:\\\\app.example.com\\x",
        ] {
            assert!(text.parse::<WebOrigin>().is_err(), "{text}");
        }
    }

    #[test]
    fn compares_by_scheme_host_and_port() {
        let origin = |text: &str| text.parse::<WebOrigin>().unwrap();
        assert_eq!(
            origin("https://App.Example.com:443"),
            origin("https://app.example.com")
        );
        assert_ne!(
            origin("https://app.example.com:8443"),
            origin("https://app.example.com")
        );
        assert_ne!(
            origin("http://app.example.com"),
            origin("https://app.example.com")
        );
        assert_eq!(origin("http://[::1]:8080").to_string(), "http://[::1]:8080");
    }

    #[test]
    fn knows_loopback() {
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://app.localhost", true),
            ("http://127.1.2.3", true),
            ("http://[::1]:7878", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(
                text.parse::<WebOrigin>().unwrap().is_loopback(),
                loopback,
                "{text}"
            );
        }
    }
}
