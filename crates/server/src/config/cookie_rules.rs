//! The rules of cookie names and attributes (CK-1, CK-4, CK-8, CK-9, CK-10).

use super::{Cookie, Listen, Server, WebOrigin};
use serde::{Deserialize, Serialize};

/// The longest value of an attribute that browsers look at (CK-4).
const LONGEST_ATTRIBUTE: usize = 1024;

/// `SameSite`. Any other word would silently mean Lax, so it is refused (CK-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Never sent with a request that another site caused.
    #[serde(alias = "Strict")]
    Strict,
    /// Sent when a link from another site is followed.
    #[serde(alias = "Lax")]
    Lax,
    /// Sent always; browsers then insist on Secure.
    #[serde(alias = "None")]
    None,
}

/// The name where none is configured. It follows from the public URL and the domain alone, so that exactly one name
/// is accepted.
#[must_use]
pub fn default_cookie_name(secure: bool, has_domain: bool) -> &'static str {
    match (secure, has_domain) {
        (true, false) => "__Host-session",
        (true, true) => "__Secure-session",
        (false, _) => "session",
    }
}

impl Server {
    /// Whether cookies are `Secure`: the public URL alone decides. Without one the listener does, which is https or on
    /// plain-http loopback.
    #[must_use]
    pub fn cookies_are_secure(&self) -> bool {
        self.public_url
            .as_ref()
            .map_or(self.tls.is_some(), WebOrigin::is_https)
    }

    /// The origin that browsers see, given the port that was bound where none was configured.
    #[must_use]
    pub fn public_origin(&self, bound: Option<std::net::SocketAddr>) -> WebOrigin {
        let configured = match &self.listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        };
        let https = self.tls.is_some();
        match (&self.public_url, bound.or(configured)) {
            (Some(origin), _) => origin.clone(),
            (None, Some(std::net::SocketAddr::V6(address))) => {
                WebOrigin::new(https, &format!("[{}]", address.ip()), address.port())
            }
            (None, Some(address)) => {
                WebOrigin::new(https, &address.ip().to_string(), address.port())
            }
            (None, None) => WebOrigin::new(false, "localhost", 80),
        }
    }
}

impl Cookie {
    /// What is wrong: the field and why. `name` is the effective one.
    pub(super) fn fault(&self, name: &str, server: &Server) -> Option<(&'static str, String)> {
        let (public, secure) = (server.public_url.as_ref(), server.cookies_are_secure());
        let domain = self.domain.as_deref();
        self.path_fault()
            .map(|why| ("path", why))
            .or_else(|| Some(("domain", domain_fault(domain?, public)?)))
            .or_else(|| self.name_fault(name, secure))
            .or_else(|| Some(("same_site", self.same_site_fault(secure)?)))
    }

    fn path_fault(&self) -> Option<String> {
        let slash =
            || (!self.path.starts_with('/')).then(|| "does not begin with a slash".to_owned());
        attribute_fault(&self.path).or_else(slash)
    }

    fn same_site_fault(&self, secure: bool) -> Option<String> {
        let dropped = self.same_site == SameSite::None && !secure;
        dropped.then(|| {
            "browsers drop SameSite=None without Secure, and Secure needs an https server.public_url".to_owned()
        })
    }

    fn name_fault(&self, name: &str, secure: bool) -> Option<(&'static str, String)> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Some((
                "name",
                format!("`{name}` is no cookie name: letters, digits and !#$%&'*+-.^_`|~ only"),
            ));
        }
        if name.len() > 256 {
            return Some(("name", "longer than 256 characters".into()));
        }
        let lower = name.to_ascii_lowercase();
        let (prefix, of_host) = PREFIXES
            .into_iter()
            .find(|(prefix, _)| lower.starts_with(&prefix.to_ascii_lowercase()))?;
        let (field, why) = if !name.starts_with(prefix) {
            (
                "name",
                format!("browsers read it as the prefix {prefix}: write it so"),
            )
        } else if !secure {
            (
                "name",
                format!("the prefix {prefix} needs Secure, and that an https server.public_url"),
            )
        } else if of_host && self.domain.is_some() {
            ("name", format!("the prefix {prefix} forbids cookie.domain"))
        } else if of_host && self.path != "/" {
            (
                "path",
                format!("the prefix {prefix} needs cookie.path = \"/\""),
            )
        } else {
            return None;
        };
        Some((field, format!("`{name}`: {why}")))
    }
}

/// The prefixes that browsers know, the longer first, and whether they tie the cookie to one host (CK-8, CK-9).
const PREFIXES: [(&str, bool); 4] = [
    ("__Host-Http-", true),
    ("__Host-", true),
    ("__Http-", false),
    ("__Secure-", false),
];

fn domain_fault(domain: &str, public: Option<&WebOrigin>) -> Option<String> {
    if let Some(why) = attribute_fault(domain) {
        return Some(why);
    }
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !domain.split('.').all(label) {
        return Some(format!(
            "`{domain}` is no domain: write example.com, in lower case, without scheme, port or leading dot"
        ));
    }
    if domain.parse::<std::net::IpAddr>().is_ok() || !domain.contains('.') {
        return Some(format!(
            "`{domain}`: browsers take no cookie for an address or a whole top-level domain"
        ));
    }
    let Some(public) = public else {
        return Some("needs server.public_url".into());
    };
    let below = public.host() == domain
        || public
            .host()
            .strip_suffix(domain)
            .is_some_and(|front| front.ends_with('.'));
    (!below).then(|| {
        format!(
            "server.public_url ({public}) is not below `{domain}`: browsers would drop the cookie"
        )
    })
}

fn attribute_fault(value: &str) -> Option<String> {
    if value.len() > LONGEST_ATTRIBUTE {
        return Some(format!(
            "longer than {LONGEST_ATTRIBUTE} octets: browsers ignore it"
        ));
    }
    let forbidden = value
        .bytes()
        .any(|b| b == b';' || !(0x20..0x7f).contains(&b));
    forbidden.then(|| "holds a semicolon or a character outside printable ASCII".into())
}
