//! Which transports are in use, and in which order.

use http::HeaderName;

/// One way for a session token to travel with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// The session cookie.
    Cookie,
    /// `Authorization: Bearer …` (RFC 6750). A bearer that is not shaped like a session token is nothing of ours.
    Bearer,
    /// A request header of its own.
    Header(HeaderName),
    /// A parameter of the query. It stands in logs and histories: for old clients only (OW-5).
    Query(Box<str>),
}

/// The transports in use. A request is looked at in their order; the first that carries anything decides.
///
/// ```
/// use cloakroom::{Transport, Transports};
///
/// // Browsers by cookie, programs by bearer token; programs get new tokens in a response header.
/// let transports = Transports::cookie().then(Transport::Bearer).response_header("session-token");
/// assert_eq!(transports.list(), [Transport::Cookie, Transport::Bearer]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transports {
    list: Vec<Transport>,
    response_header: Option<HeaderName>,
}

impl Default for Transports {
    /// The cookie alone (OW-5).
    fn default() -> Self {
        Self::cookie()
    }
}

impl Transports {
    /// The cookie alone; the default.
    pub fn cookie() -> Self {
        Self::only(Transport::Cookie)
    }

    /// `Authorization: Bearer …` alone. There is no cookie to set then: see [`Transports::response_header`].
    pub fn bearer() -> Self {
        Self::only(Transport::Bearer)
    }

    /// One transport alone.
    pub fn only(transport: Transport) -> Self {
        Self {
            list: vec![transport],
            response_header: None,
        }
    }

    /// And `transport`, looked at after those before. Naming one twice changes nothing.
    #[must_use]
    pub fn then(mut self, transport: Transport) -> Self {
        if !self.list.contains(&transport) {
            self.list.push(transport);
        }
        self
    }

    /// New tokens for clients that do not use the cookie are answered in this response header.
    ///
    /// Without it, what would give such a client a new token (a login, a renewal, a session that begins) is refused with
    /// [`session::Error::NoWayBack`](crate::session::Error::NoWayBack) before anything is written, because a token that
    /// nobody receives logs the client out.
    ///
    /// # Panics
    /// Where `name` is not a header name: it is a constant of the program.
    #[must_use]
    pub fn response_header(mut self, name: &'static str) -> Self {
        self.response_header = Some(HeaderName::from_static(name));
        self
    }

    /// The transports in their order.
    pub fn list(&self) -> &[Transport] {
        &self.list
    }

    /// Where clients that do not use the cookie find a new token.
    pub fn response_header_name(&self) -> Option<&HeaderName> {
        self.response_header.as_ref()
    }
}
