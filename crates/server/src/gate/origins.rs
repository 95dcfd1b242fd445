//! Where people may be sent, and which hosts we answer for.

use super::rules::host_matches;
use crate::config::{Config, WebOrigin};
use url::Url;

/// The longest `return_to` that is followed.
const LONGEST: usize = 4096;

/// The origins of this deployment.
#[derive(Debug, Clone)]
pub struct Origins {
    public: WebOrigin,
    allowed: Vec<WebOrigin>,
    hosts: Vec<String>,
    domain: Option<String>,
    passing: [String; 4],
}

impl Origins {
    /// The public origin, `login.allowed_origins` and the hosts of `[[access]]` rules.
    #[must_use]
    pub fn of(config: &Config, public: &WebOrigin) -> Self {
        Self {
            public: public.clone(),
            allowed: config.login.allowed_origins.clone(),
            hosts: config
                .access
                .iter()
                .filter_map(|rule| rule.host.clone())
                .collect(),
            domain: config.cookie.domain.clone(),
            passing: ["login", "logout", "callback", "continue"]
                .map(|page| format!("{}/{page}", config.server.base_path)),
        }
    }

    /// Whether this is an origin of ours. A host named by a rule counts under the public origin's scheme, at its port or
    /// the scheme's own.
    #[must_use]
    pub fn has(&self, origin: &WebOrigin) -> bool {
        let usual = if origin.is_https() { 443 } else { 80 };
        let named = self
            .hosts
            .iter()
            .any(|host| host_matches(host, origin.host()))
            && origin.is_https() == self.public.is_https()
            && (origin.port() == self.public.port() || origin.port() == usual);
        *origin == self.public || self.allowed.contains(origin) || named
    }

    /// Whether the session cookie of the public origin is not sent to `origin`, so that it needs one of its own.
    #[must_use]
    pub fn is_apart(&self, origin: &WebOrigin) -> bool {
        let shared = self.domain.as_deref().is_some_and(|domain| {
            origin.host() == domain || host_matches(&format!("*.{domain}"), origin.host())
        });
        // Cookies do not know ports (CK-19).
        origin.host() != self.public.host() && !shared
    }

    /// Where `return_to` leads, if it is a place of ours: an absolute URL, or a path on the public origin.
    #[must_use]
    pub fn place(&self, return_to: &str) -> Option<Url> {
        let strange = |c: char| c.is_control() || c == '\\' || c == ' ';
        if return_to.is_empty() || return_to.len() > LONGEST || return_to.contains(strange) {
            return None;
        }
        let is_path = return_to.starts_with('/') && !return_to.starts_with("//");
        let is_absolute = return_to.starts_with("https://") || return_to.starts_with("http://");
        let url = match (is_path, is_absolute) {
            (true, _) => Url::parse(&self.public.to_string())
                .ok()?
                .join(return_to)
                .ok()?,
            (_, true) => Url::parse(return_to).ok()?,
            _ => return None,
        };
        let plain = url.username().is_empty() && url.password().is_none();
        let origin = WebOrigin::of(&url)?;
        // A page of ours that only sends people on would send them in a circle.
        let own = self.passing.iter().any(|page| url.path() == page);
        (plain && !own && self.has(&origin)).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins {
            public: "https://a.test:8443".parse().unwrap(),
            allowed: vec!["https://b.test".parse().unwrap()],
            hosts: vec!["*.c.test".into()],
            domain: None,
            passing: ["login", "logout", "callback", "continue"]
                .map(|page| format!("/_auth/{page}")),
        }
    }

    #[test]
    fn only_places_of_ours_are_followed() {
        let origins = origins();
        for good in [
            "/x?y#z",
            "https://a.test:8443/x",
            "https://b.test/",
            "https://x.c.test:8443/",
            "https://x.c.test/",
        ] {
            assert!(origins.place(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "/_auth/login",
            "/_auth/callback?code=x",
            "/_auth/continue?return_to=x",
            "x",
            "//evil.test/",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https:evil.test",
            "https:/b.test",
            "https://evil.test/",
            "http://b.test/",
            "https://b.test:444/",
            "https://b.test@evil.test/",
            "https://u@b.test/",
            "https://b.test.evil.test/",
            "https://c.test/",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://b.test\\@evil.test/",
            "/x\r\nSet-Cookie: a=b",
            "http://x.c.test/",
            "/\t/evil.test",
        ] {
            assert_eq!(origins.place(bad), None, "{bad}");
        }
    }
}
