//! What a proven login does to sessions and cookies.

use super::{client, cookies::Own, cross_host, pages};
use crate::{config::OnFull, directory::DeviceSecret, http::Peer, state::AppState};
use axum::response::Response;
use cloakroom::{
    Proof,
    service::{Cause, Error, Started, Target},
};
use cloakroom_core::{lifecycle::Begin, record::Epoch, store::Scope};
use http::{HeaderMap, header};
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
    match sessions.create(&begin).await {
        Err(error) if pages::is_full(&error) && make_room(state, &begin).await? => {
            sessions.create(&begin).await
        }
        done => done,
    }
}

/// Ends the person's own oldest session where all places are taken: nobody is locked out by a session that he has left
/// open elsewhere. Where more sessions than allowed are refused (`on_full = "deny"`), so is this one.
async fn make_room(state: &AppState, begin: &Begin) -> Result<bool, Error> {
    let denies = state.config().session.on_full == OnFull::Deny;
    let Some(proof) = begin.proof.as_ref().filter(|_| !denies) else {
        return Ok(false);
    };
    let scope = Scope::Subject {
        app: None,
        subject: proof.subject.clone(),
    };
    let own = state.sessions().list(scope, None, 100).await?;
    let oldest = own
        .records
        .iter()
        .min_by_key(|record| record.security.created_at);
    let Some(oldest) = oldest else {
        return Ok(false);
    };
    cross_host::end_family(state, oldest).await?;
    state.sessions().end(oldest.id, Cause::Displaced).await?;
    Ok(true)
}

/// Sends a signed-in person on: to a host that needs a cookie of its own by way of its callback, elsewhere directly.
pub(super) fn send_on(state: &AppState, place: Option<Url>) -> Response {
    let Some(place) = place else {
        return pages::see_other(&format!("{}/account", state.base_url()));
    };
    match cross_host::apart(state, &place) {
        None => pages::see_other(place.as_str()),
        Some(host) => pages::see_other(host.to_begin(&place).as_str()),
    }
}

/// Adds the session cookie.
pub(super) fn set_cookie(state: &AppState, response: &mut Response, started: &Started) {
    let sessions = state.sessions();
    let lifetime = started.record.expires_at().since(sessions.now());
    let cookie = sessions.cookie().set(&started.token, lifetime);
    response.headers_mut().append(header::SET_COOKIE, cookie);
}

/// Adds the cookie by which the device is known at its next login.
pub(super) fn set_device(state: &AppState, response: &mut Response, device: &DeviceSecret) {
    let lifetime = crate::directory::Directory::DEVICE_REMEMBERED_FOR;
    Own::Device.set(state, response, device.expose(), lifetime);
}

/// The device that a request presents.
pub(super) fn device_of(state: &AppState, headers: &HeaderMap) -> Option<DeviceSecret> {
    Own::Device
        .read(state, headers)
        .and_then(|text| DeviceSecret::read(&text))
}
