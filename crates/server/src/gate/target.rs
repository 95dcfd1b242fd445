//! What a proxied request is for: taken apart once, with nothing left to interpretation.

use crate::config::WebOrigin;
use percent_encoding::percent_decode_str;
use url::Url;

/// The target of a proxied request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its whole URL, to come back to.
    pub url: Url,
    /// Scheme, host and port.
    pub origin: WebOrigin,
    /// Its path, percent-decoded; `None` where it is ambiguous, so that no rule can be slipped past.
    pub path: Option<String>,
    /// Its method, in capitals.
    pub method: String,
}

/// Why the proxy's headers name no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an absolute http or https URL, or with a user name in it.
    #[error("the target is not an absolute http or https URL")]
    Url,
    /// Not a method.
    #[error("the target's method is not one")]
    Method,
}

impl Target {
    /// Takes a URL and a method apart.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(url: &str, method: &str) -> Result<Self, TargetError> {
        if method.is_empty() || method.len() > 32 || !method.bytes().all(|b| b.is_ascii_uppercase())
        {
            return Err(TargetError::Method);
        }
        if url.bytes().any(|b| b.is_ascii_control() || b == b' ') || url.len() > 16 * 1024 {
            return Err(TargetError::Url);
        }
        // What stands in the request line, before a URL parser tidies it up: only that is what the application sees.
        let rest = url
            .split_once("://")
            .map(|(_, rest)| rest)
            .ok_or(TargetError::Url)?;
        let raw_path = rest
            .find(['/', '?', '#', '\\'])
            .map_or("", |at| &rest[at..]);
        let raw_path = raw_path.split(['?', '#']).next().unwrap_or_default();
        let url = Url::parse(url).map_err(|_| TargetError::Url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Url);
        }
        let origin = WebOrigin::of(&url).ok_or(TargetError::Url)?;
        Ok(Self {
            origin,
            path: plain(raw_path),
            method: method.to_owned(),
            url,
        })
    }
}

/// The decoded path, where proxies and applications cannot read it differently: no dot segments, no empty segments, no
/// backslash, no encoded slash, no second layer of encoding.
fn plain(raw: &str) -> Option<String> {
    let raw = if raw.is_empty() { "/" } else { raw };
    let decoded = percent_decode_str(raw).decode_utf8().ok()?;
    let lower = raw.to_ascii_lowercase();
    let doubtful = ["%2f", "%5c", "%00", "%25"].iter().any(|code| lower.contains(code))
        || decoded.contains(['\\', '\0'])
        || decoded.chars().any(char::is_control)
        || decoded.contains("//")
        // `;` begins a path parameter for some servers: /admin;x is /admin to them.
        || decoded.split('/').any(|segment| {
            let name = segment.split(';').next().unwrap_or_default();
            name == "." || name == ".." || name.len() != segment.len()
        });
    (!doubtful).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguised_paths_are_ambiguous_and_plain_ones_are_decoded() {
        let path = |path: &str| {
            Target::parse(&format!("https://a.test{path}"), "GET")
                .unwrap()
                .path
        };
        assert_eq!(path("").as_deref(), Some("/"));
        assert_eq!(path("/a%20b/c?x=../y").as_deref(), Some("/a b/c"));
        for disguised in [
            "/a/../b",
            "/a/./b",
            "/a//b",
            "/%2e%2e/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%252e",
            "/a;x/b",
            "/..;/b",
            "/%ff",
        ] {
            assert_eq!(path(disguised), None, "{disguised}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for url in [
            "",
            "/a",
            "ftp://a.test/",
            "https://",
            "https://u:p@a.test/",
            "https://a.test/ x",
            "javascript:alert(1)",
        ] {
            assert!(Target::parse(url, "GET").is_err(), "{url}");
        }
        for method in ["", "get", "G T", "GET\n"] {
            assert_eq!(
                Target::parse("https://a.test/", method),
                Err(TargetError::Method)
            );
        }
    }
}
