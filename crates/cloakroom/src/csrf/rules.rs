//! The verdict on a request, from its method and headers alone.

use std::str::FromStr;

use http::header::{CONNECTION, HOST, ORIGIN, REFERER, UPGRADE};
use http::{HeaderMap, HeaderName, Method, Uri};
use url::Url;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Scheme, host and port of a site, as browsers write it in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Box<str>);

/// Not an origin: there is more than scheme, host and port, or less (FM-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is scheme, host and port alone, such as https://example.com, with no slash behind it"
)]
pub struct OriginError;

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let origin = of_url(text).ok_or(OriginError)?;
        // A path, a query, a slash at the end, a default port or capitals would never match what browsers send.
        (origin == text)
            .then(|| Self(origin.into()))
            .ok_or(OriginError)
    }
}

impl Origin {
    /// As browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn of_url(text: &str) -> Option<String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.origin().ascii_serialization())
}

/// Why a request was refused; for logs, the client gets 403 (FM-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Another site sent it.
    CrossSite,
    /// Another host of the same site sent it.
    SameSite,
    /// Its origin is hidden (`Origin: null`).
    HiddenOrigin,
    /// Its `Origin` or `Referer` is not ours.
    ForeignOrigin,
    /// It does not tell where it comes from, and that is not allowed.
    Unknown,
}

impl Refused {
    /// A stable lower-case word for logs and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::SameSite => "same_site",
            Self::HiddenOrigin => "hidden_origin",
            Self::ForeignOrigin => "foreign_origin",
            Self::Unknown => "unknown_origin",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) own: Option<Origin>,
    pub(super) trusted: Vec<Origin>,
    pub(super) siblings: bool,
    pub(super) strict: bool,
}

impl Rules {
    pub(super) fn judge(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refused> {
        let site = one(headers, &SEC_FETCH_SITE);
        let acts = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            || opens_socket(headers);
        if !acts {
            return self.judge_reading(site, headers);
        }
        let trusted = one(headers, &ORIGIN)
            .is_some_and(|origin| self.trusted.iter().any(|own| own.as_str() == origin));
        match site {
            Some("same-origin" | "none") => Ok(()),
            Some("cross-site") if !trusted => Err(Refused::CrossSite),
            Some("same-site") if !trusted && !self.siblings => Err(Refused::SameSite),
            Some("cross-site" | "same-site") => Ok(()),
            // FM-2: an unknown value is as good as none.
            _ if trusted => Ok(()),
            _ => self.judge_origin(uri, headers),
        }
    }

    /// FM-5: reading is allowed, but a page of ours is no object in a page of others.
    fn judge_reading(&self, site: Option<&str>, headers: &HeaderMap) -> Result<(), Refused> {
        let embeds = matches!(one(headers, &SEC_FETCH_DEST), Some("object" | "embed"));
        let navigates = one(headers, &SEC_FETCH_MODE) == Some("navigate");
        match site {
            Some("cross-site") if navigates && embeds => Err(Refused::CrossSite),
            _ => Ok(()),
        }
    }

    /// FM-3, for browsers before Fetch Metadata.
    fn judge_origin(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        if headers.contains_key(ORIGIN) {
            return match one(headers, &ORIGIN) {
                Some("null") => Err(Refused::HiddenOrigin),
                Some(origin) if self.is_own(origin, uri, headers) => Ok(()),
                _ => Err(Refused::ForeignOrigin),
            };
        }
        if headers.contains_key(REFERER) {
            let origin = one(headers, &REFERER).and_then(of_url);
            let known = |origin: &str| {
                self.is_own(origin, uri, headers)
                    || self.trusted.iter().any(|own| own.as_str() == origin)
            };
            return if origin.as_deref().is_some_and(known) {
                Ok(())
            } else {
                Err(Refused::ForeignOrigin)
            };
        }
        if self.strict {
            Err(Refused::Unknown)
        } else {
            Ok(())
        }
    }

    /// Against the configured origin, or else against the host that was asked, whatever the scheme: behind a proxy we
    /// cannot know which one the browser sees.
    fn is_own(&self, origin: &str, uri: &Uri, headers: &HeaderMap) -> bool {
        if let Some(own) = &self.own {
            return own.as_str() == origin;
        }
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let host = authority.or_else(|| one(headers, &HOST));
        let sender = origin.split_once("://").map(|(_, host)| host);
        host.zip(sender)
            .is_some_and(|(host, sender)| host.eq_ignore_ascii_case(sender))
    }
}

/// The value of a header that stands there once; several are as good as none.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

/// A socket is opened by GET, and then everything can be sent through it.
fn opens_socket(headers: &HeaderMap) -> bool {
    let upgrades = headers.contains_key(UPGRADE);
    let connection = one(headers, &CONNECTION).unwrap_or_default();
    upgrades
        && connection
            .split(',')
            .any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
}
