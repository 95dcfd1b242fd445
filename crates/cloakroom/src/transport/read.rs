//! What a request presents: nothing, a token, or something that cannot be one.

use cloakroom_core::SessionToken;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, Uri};

use super::cookie_header::{self, Values, trim};
use super::transports::{Transport, Transports};

/// What a request presents. It never guesses: two different values in one transport are [`Presented::Malformed`].
#[derive(Debug, Clone, Default)]
pub enum Presented {
    /// No transport carries anything of ours.
    #[default]
    Nothing,
    /// A token, well formed; whether it opens anything is another question.
    Token {
        /// The token.
        token: SessionToken,
        /// How it came.
        by: Transport,
    },
    /// Something that is no session token, or several that differ. To the handler this is "no session".
    Malformed {
        /// How it came.
        by: Transport,
    },
}

impl Presented {
    /// The transport that carried something.
    pub fn by(&self) -> Option<&Transport> {
        match self {
            Self::Nothing => None,
            Self::Token { by, .. } | Self::Malformed { by } => Some(by),
        }
    }
}

impl Transports {
    /// Looks at a request. Nothing of the presented value is logged (OW-8).
    pub fn read(&self, headers: &HeaderMap, uri: &Uri, cookie_name: &str) -> Presented {
        for transport in self.list() {
            match transport.read(headers, uri, cookie_name) {
                Found::Nothing => {}
                Found::Token(token) => {
                    let by = transport.clone();
                    return Presented::Token { token, by };
                }
                Found::Malformed => {
                    tracing::debug!(transport = ?transport, "a malformed session token was presented");
                    let by = transport.clone();
                    return Presented::Malformed { by };
                }
            }
        }
        Presented::Nothing
    }
}

enum Found {
    Nothing,
    Token(SessionToken),
    Malformed,
}

impl Transport {
    fn read(&self, headers: &HeaderMap, uri: &Uri, cookie_name: &str) -> Found {
        match self {
            Self::Cookie => ours(cookie_header::find(&headers.get_all(COOKIE), cookie_name)),
            Self::Bearer => bearer(headers),
            Self::Header(name) => {
                let fields = headers.get_all(name).iter();
                ours(Values::of(fields.map(|field| trim(field.as_bytes()))))
            }
            Self::Query(name) => query(uri.query().unwrap_or_default(), name),
        }
    }
}

/// The place is ours, so what stands there must be a token.
fn ours(values: Values<'_>) -> Found {
    match values {
        Values::None => Found::Nothing,
        Values::One(value) => token(value).map_or(Found::Malformed, Found::Token),
        Values::Several => Found::Malformed,
    }
}

/// The header is shared with other schemes and other tokens: only what is shaped like ours concerns us.
fn bearer(headers: &HeaderMap) -> Found {
    let fields = headers.get_all(AUTHORIZATION);
    let values = || {
        fields
            .iter()
            .filter_map(|field| bearer_value(field.as_bytes()))
    };
    match Values::of(values()) {
        Values::None => Found::Nothing,
        Values::One(value) => token(value).map_or(Found::Nothing, Found::Token),
        Values::Several if values().any(|value| token(value).is_some()) => Found::Malformed,
        Values::Several => Found::Nothing,
    }
}

fn bearer_value(field: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = trim(field).split_at_checked(6)?;
    let spaced = matches!(rest.first(), Some(b' '));
    (spaced && scheme.eq_ignore_ascii_case(b"bearer")).then(|| trim(rest))
}

fn query(query: &str, name: &str) -> Found {
    let mut found: Option<std::borrow::Cow<'_, str>> = None;
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if key != name {
            continue;
        }
        match &found {
            None => found = Some(value),
            Some(first) if *first == value => {}
            Some(_) => return Found::Malformed,
        }
    }
    found.map_or(Found::Nothing, |value| {
        token(value.as_bytes()).map_or(Found::Malformed, Found::Token)
    })
}

fn token(value: &[u8]) -> Option<SessionToken> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use cloakroom_core::{Secret, SessionId};
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn a_token(byte: u8) -> String {
        let id = SessionId::from_bytes([byte; 16]);
        SessionToken::new(id, Secret::from_bytes([byte; 16])).expose()
    }

    fn every_transport() -> Transports {
        Transports::cookie()
            .then(Transport::Bearer)
            .then(Transport::Header(HeaderName::from_static("x-session")))
            .then(Transport::Query("sid".into()))
    }

    fn headers(fields: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn read(fields: &[(&'static str, String)], uri: &str) -> Presented {
        every_transport().read(&headers(fields), &uri.parse().unwrap(), "session")
    }

    fn text(presented: &Presented) -> String {
        match presented {
            Presented::Nothing => "nothing".into(),
            Presented::Token { token, by } => format!("{:?} {}", by, token.expose()),
            Presented::Malformed { by } => format!("malformed {by:?}"),
        }
    }

    #[test]
    fn each_transport_carries_a_token() {
        let token = a_token(1);
        let cases = [
            (
                read(&[("cookie", format!("session={token}"))], "/"),
                "Cookie",
            ),
            (
                read(&[("authorization", format!("bEARER {token}"))], "/"),
                "Bearer",
            ),
            (
                read(&[("x-session", token.clone())], "/"),
                "Header(\"x-session\")",
            ),
            (read(&[], &format!("/?a=b&sid={token}")), "Query(\"sid\")"),
        ];
        for (presented, by) in cases {
            assert_eq!(text(&presented), format!("{by} {token}"));
        }
    }

    #[test]
    fn the_first_configured_wins_across_transports() {
        let (one, two) = (a_token(1), a_token(2));
        let presented = read(
            &[
                ("authorization", format!("Bearer {two}")),
                ("cookie", format!("session={one}")),
            ],
            "/",
        );
        assert_eq!(text(&presented), format!("Cookie {one}"));
        // Also where what came first is malformed: no second guess.
        let presented = read(
            &[
                ("authorization", format!("Bearer {two}")),
                ("cookie", "session=x".into()),
            ],
            "/",
        );
        assert_eq!(text(&presented), "malformed Cookie");
    }

    #[test]
    fn two_values_in_one_transport_are_malformed() {
        // CK-13
        let (one, two) = (a_token(1), a_token(2));
        let twice = |name, prefix: &str| {
            read(
                &[
                    (name, format!("{prefix}{one}")),
                    (name, format!("{prefix}{two}")),
                ],
                "/",
            )
        };
        assert_eq!(text(&twice("cookie", "session=")), "malformed Cookie");
        assert_eq!(text(&twice("authorization", "Bearer ")), "malformed Bearer");
        assert_eq!(
            text(&twice("x-session", "")),
            "malformed Header(\"x-session\")"
        );
        let presented = read(&[], &format!("/?sid={one}&sid={two}"));
        assert_eq!(text(&presented), "malformed Query(\"sid\")");
        let presented = read(&[], &format!("/?sid={one}&sid={one}"));
        assert_eq!(text(&presented), format!("Query(\"sid\") {one}"));
    }

    #[test]
    fn a_bearer_of_another_shape_is_nothing_of_ours() {
        for value in [
            "Bearer eyJhbGciOi.J9.x",
            "Basic dTpw",
            "Bearer",
            "Bearer ",
            "",
            "Bearerx",
        ] {
            let presented = read(&[("authorization", value.to_owned())], "/");
            assert_eq!(text(&presented), "nothing", "{value}");
        }
    }

    #[test]
    fn a_cookie_of_another_shape_is_no_session() {
        // OW-8: 43 characters, canonical base64url, nothing else.
        let token = a_token(255);
        for value in [
            "",
            "x",
            &token[1..],
            &format!("{token}A"),
            &format!("\"{token}\""),
        ] {
            let presented = read(&[("cookie", format!("session={value}"))], "/");
            assert_eq!(text(&presented), "malformed Cookie", "{value}");
        }
    }

    proptest! {
        /// Whatever bytes come in whatever place: an answer, and a token only where a whole one stood.
        #[test]
        fn arbitrary_requests_are_survived(
            cookie in proptest::collection::vec(any::<u8>(), 0..120),
            bearer in proptest::collection::vec(any::<u8>(), 0..60),
            header in proptest::collection::vec(any::<u8>(), 0..60),
            query in "[a-z0-9=&%+;?/._~-]{0,60}",
        ) {
            let mut headers = HeaderMap::new();
            let authorization = [b"Bearer ".as_slice(), &bearer].concat();
            for (name, bytes) in [("cookie", &cookie), ("authorization", &authorization), ("x-session", &header)] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    headers.append(name, value);
                }
            }
            let uri = format!("/?{query}").parse().unwrap_or_default();
            if let Presented::Token { token, .. } = every_transport().read(&headers, &uri, "session") {
                let exposed = token.expose();
                let all = [cookie, authorization, header, query.into_bytes()].concat();
                prop_assert!(all.windows(exposed.len()).any(|window| window == exposed.as_bytes()));
            }
        }
    }
}
