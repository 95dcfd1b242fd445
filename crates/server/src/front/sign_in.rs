//! What a proven login does to sessions and cookies.

use super::{
    client,
    cross_host::{self, Way},
    pages,
};
use crate::{directory::DeviceSecret, http::Peer, state::AppState};
use axum::response::Response;
use cloakroom::{
    Proof,
    service::{Cause, Error, Started, Target},
};
use cloakroom_core::{lifecycle::Begin, record::Epoch};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

/// Begins the person's session, or authenticates the one that the browser has. Whatever token the browser presented opens
/// nothing of it afterwards (OW-9, OW-10).
pub(super) async fn begin(
    state: &AppState,
    headers: &HeaderMap,
    peer: Peer,
    proof: Proof,
    admitted: Epoch,
) -> Result<Started, Error> {
    let sessions = state.sessions();
    if let Some(token) = client::token(state, headers)
        && let Some(record) = client::found(state, &token).await?
    {
        let owner = record.security.subject.as_ref();
        if owner.is_none_or(|owner| *owner == proof.subject) {
            return sessions
                .authenticate(Target::Token(&token), proof, admitted)
                .await;
        }
        // Somebody else's session in this browser, perhaps planted: it is not carried on.
        sessions.end(record.id, Cause::Ended).await?;
    }
    let begin = Begin {
        proof: Some(proof),
        device: client::device(state, headers, peer),
        admitted,
        ..Begin::default()
    };
    sessions.create(&begin).await
}

/// Sends a signed-in person on: to a host that needs a cookie of its own by a code, elsewhere directly.
pub(super) async fn send_on(
    state: &AppState,
    record: &cloakroom_core::Record,
    place: Option<Url>,
) -> Result<Response, Error> {
    let Some(place) = place else {
        return Ok(pages::see_other(&format!("{}/account", state.base_url())));
    };
    Ok(match cross_host::way_to(state, record, &place).await? {
        Way::Direct => pages::see_other(place.as_str()),
        Way::By(callback) => pages::see_other(callback.as_str()),
        Way::NoCookie(host) => {
            let text = format!(
                "Your browser does not keep the cookie of {host}. Please allow it and open the page again."
            );
            pages::message(state, StatusCode::CONFLICT, "A cookie is missing", &text)
        }
    })
}

/// Adds the session cookie.
pub(super) fn set_cookie(state: &AppState, response: &mut Response, started: &Started) {
    let sessions = state.sessions();
    let lifetime = started.record.expires_at().since(sessions.now());
    let cookie = sessions.cookie().set(&started.token, lifetime);
    response.headers_mut().append(header::SET_COOKIE, cookie);
}

/// The cookie by which a device is known at its next login: not a session, it opens nothing.
pub(super) fn device_cookie_name(state: &AppState) -> &'static str {
    if state.config().server.cookies_are_secure() {
        "__Host-device"
    } else {
        "device"
    }
}

/// Adds the device cookie.
pub(super) fn set_device(state: &AppState, response: &mut Response, device: &DeviceSecret) {
    let secure = if state.config().server.cookies_are_secure() {
        "; Secure"
    } else {
        ""
    };
    let age = crate::directory::Directory::DEVICE_REMEMBERED_FOR.as_secs();
    let text = format!(
        "{}={}; HttpOnly{secure}; SameSite=Lax; Path=/; Max-Age={age}",
        device_cookie_name(state),
        device.expose()
    );
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The device that a request presents.
pub(super) fn device_of(state: &AppState, headers: &HeaderMap) -> Option<DeviceSecret> {
    let name = device_cookie_name(state);
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(candidate, _)| *candidate == name);
    let first = found.next()?;
    // Two of them: one may be planted (CK-13).
    found
        .next()
        .is_none()
        .then(|| DeviceSecret::read(first.1))
        .flatten()
}
