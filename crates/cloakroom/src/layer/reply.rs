//! Telling the client about its token: the cookie or header, and what keeps caches from handing it to others.

use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::Sessions;
use crate::session::{Reply, Session, Way};
use crate::transport::Transport;

/// Completes the response of a request that looked at its session.
pub(super) fn write<B>(session: &Session, response: &mut Response<B>) {
    let sessions = session.sessions();
    let headers = response.headers_mut();
    match session.reply() {
        Reply::Keep => {}
        Reply::Give(token) => {
            match session.way_back() {
                Some(Way::Cookie) => {
                    let lifetime = session.lifetime();
                    set_cookie(headers, sessions, sessions.cookie().set(&token, lifetime));
                }
                Some(Way::Header(name)) => {
                    if let Ok(mut value) = HeaderValue::try_from(token.expose()) {
                        value.set_sensitive(true);
                        headers.insert(name.clone(), value);
                    }
                }
                None => {}
            }
            no_store(headers);
        }
        Reply::Forget => {
            set_cookie(headers, sessions, sessions.cookie().clear());
            no_store(headers);
        }
    }
    for transport in sessions.transports().list() {
        match transport {
            Transport::Cookie => vary(headers, &COOKIE),
            Transport::Bearer => vary(headers, &AUTHORIZATION),
            Transport::Header(name) => vary(headers, name),
            Transport::Query(_) => {}
        }
    }
}

/// Never two cookies of our name in one response (CK-2): one that the handler set itself gives way.
fn set_cookie(headers: &mut HeaderMap, sessions: &Sessions, value: HeaderValue) {
    let cookie = sessions.cookie();
    if headers
        .get_all(SET_COOKIE)
        .iter()
        .any(|other| cookie.is_set_by(other))
    {
        let others: Vec<_> = headers
            .get_all(SET_COOKIE)
            .iter()
            .filter(|other| !cookie.is_set_by(other))
            .cloned()
            .collect();
        headers.remove(SET_COOKIE);
        for other in others {
            headers.append(SET_COOKIE, other);
        }
    }
    headers.append(SET_COOKIE, value);
}

/// A response with a token is for one client only (OW-14), whatever the handler said about caching.
fn no_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Adds `name` to what caches must compare, once.
pub(crate) fn vary(headers: &mut HeaderMap, name: &HeaderName) {
    let named = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .any(|other| other == "*" || other.eq_ignore_ascii_case(name.as_str()))
    };
    if !headers.get_all(VARY).iter().any(named) {
        headers.append(VARY, HeaderValue::from(name.clone()));
    }
}
