//! The cookie that fits a public URL (DESIGN 9: name and Secure derive from it alone).

use url::{Host, Url};

use super::{CookieBuilder, CookieConfig, CookieError};

impl CookieConfig {
    /// The cookie for an application that browsers reach at `public_url`: the default for https; named `session` and
    /// without Secure for plain http on a loopback host.
    ///
    /// # Errors
    /// [`CookieError::InsecureOrigin`] for plain http elsewhere.
    pub fn for_origin(public_url: &Url) -> Result<Self, CookieError> {
        CookieBuilder::for_origin(public_url)?.build()
    }
}

impl CookieBuilder {
    /// Starts from the cookie that fits `public_url`, see [`CookieConfig::for_origin`].
    ///
    /// # Errors
    /// [`CookieError::InsecureOrigin`] where `public_url` is neither https nor http on a loopback host.
    pub fn for_origin(public_url: &Url) -> Result<Self, CookieError> {
        match public_url.scheme() {
            "https" => Ok(Self::default()),
            "http" if is_loopback(public_url) => Ok(Self::default().name("session").secure(false)),
            _ => Err(CookieError::InsecureOrigin),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // RFC 6761 6.3.
        Some(Host::Domain(host)) => host == "localhost" || host.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
