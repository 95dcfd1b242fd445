//! `/callback` on the other host.

use super::{
    HOST, PARENT,
    browser::{BrowserSecret, KEPT_FOR},
    code::{Kept, take},
    way,
};
use crate::{
    front::{client, cookies::Own, pages, sign_in},
    http::Peer,
    state::AppState,
};
use axum::{Extension, extract::State, response::Response};
use cloakroom::{
    Proof, Timestamp,
    service::{Cause, Error},
};
use cloakroom_core::{Edits, JsonText, lifecycle::Begin, record::Epoch};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
struct Presented {
    #[serde(default)]
    code: String,
    #[serde(default)]
    return_to: String,
}

/// `GET /callback` on the other host, twice: with `return_to=…` it gives the browser its secret and sends it back to the
/// public host; with `code=…`, once and within 30 s, it begins the session of this host.
pub(in crate::front) async fn arrive(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    let presented = axum::extract::Query::<Presented>::try_from_uri(&uri)
        .map(|query| query.0)
        .unwrap_or_default();
    let host = host_of(&state, &headers, peer);
    if presented.code.is_empty() {
        return begin(&state, &headers, &host, &presented.return_to);
    }
    match redeem(&state, &headers, peer, &host, &presented.code).await {
        Ok(response) => response,
        Err(error) => pages::unavailable(&state, &error),
    }
}

/// Gives the browser its secret. One that it has already stays: of several tabs that come at once each then finds the
/// secret that its code is for.
fn begin(state: &AppState, headers: &HeaderMap, host: &str, return_to: &str) -> Response {
    let place = state.origins().place(return_to);
    let here = place
        .as_ref()
        .filter(|place| way::apart(state, place).is_some_and(|apart| apart.host == host));
    let Some(place) = here else {
        return spent(state);
    };
    let secret = secret_of(state, headers)
        .unwrap_or_else(|| BrowserSecret::from_bytes(rand::random::<[u8; 32]>()));
    let mut response = pages::see_other(&way::to_continue(state, place, &secret.hash()));
    Own::Arrival.set(state, &mut response, secret.expose(), KEPT_FOR);
    response
}

fn secret_of(state: &AppState, headers: &HeaderMap) -> Option<BrowserSecret> {
    Own::Arrival
        .read(state, headers)
        .and_then(|text| BrowserSecret::read(&text))
}

async fn redeem(
    state: &AppState,
    headers: &HeaderMap,
    peer: Peer,
    host: &str,
    code: &str,
) -> Result<Response, Error> {
    let Some(kept) = take(state, code, host).await? else {
        return Ok(spent(state));
    };
    let secret = secret_of(state, headers);
    if secret.is_none_or(|secret| secret.hash() != kept.browser) {
        tracing::warn!(target: "audit", event = "code_of_another_browser", began_with = %kept.parent, host, "a login was carried to a browser that did not ask for it, or that keeps no cookie");
        return Ok(super::no_cookie(state, host));
    }
    let settled = settle(state, headers, peer, &kept).await?;
    Ok(settled.unwrap_or_else(|| spent(state)))
}

fn spent(state: &AppState) -> Response {
    let text = "The address was used before, is too old, or is meant for another host. Please open the page again.";
    let title = "This login cannot be used";
    pages::message(state, StatusCode::BAD_REQUEST, title, text)
}

/// The host that the browser asked, as a trusted proxy tells it.
fn host_of(state: &AppState, headers: &HeaderMap, peer: Peer) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let told = state
        .config()
        .proxy
        .trusts(peer.ip())
        .then(|| text("x-forwarded-host"))
        .flatten();
    told.or_else(|| text(header::HOST.as_str()))
        .unwrap_or_default()
        .to_ascii_lowercase()
}

async fn settle(
    state: &AppState,
    headers: &HeaderMap,
    peer: Peer,
    kept: &Kept,
) -> Result<Option<Response>, Error> {
    let sessions = state.sessions();
    // The login that the code came from must still stand.
    let Some(parent) = sessions.get(kept.parent).await? else {
        return Ok(None);
    };
    // What the browser had on this host gives way (OW-9).
    if let Some(token) = client::token(state, headers)
        && let Some(old) = client::found(state, &token).await?
    {
        sessions.end(old.id, Cause::Ended).await?;
    }
    let mut edits = Edits::new();
    edits.set(PARENT, JsonText::of(&kept.parent)?);
    edits.set(HOST, JsonText::of(&kept.host)?);
    let begin = Begin {
        proof: Some(Proof {
            subject: kept.subject.clone(),
            acr: kept.acr.clone(),
            amr: kept.amr.clone(),
        }),
        device: client::device(state, headers, peer),
        app: parent.security.app.clone(),
        edits,
        // The password is no fresher here than there (NI-7, AV-7.5.2).
        proven_at: kept.proven_at.map(Timestamp::from_millis),
        // It lives no longer than the login that it comes from (NI-7).
        absolute_timeout: Some(parent.expires_at().since(sessions.now())),
        admitted: Epoch(kept.admitted),
        ..Begin::default()
    };
    let started = match sessions.create(&begin).await {
        Ok(started) => started,
        Err(Error::Refused(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    // A logout that came between did not see this session yet.
    if sessions.get(kept.parent).await?.is_none() {
        sessions.end(started.record.id, Cause::Ended).await?;
        return Ok(None);
    }
    tracing::info!(target: "audit", event = "login_carried_over", session_id = %started.record.id, began_with = %kept.parent, host = kept.host, "login");
    let mut response = pages::see_other(kept.place.as_str());
    sign_in::set_cookie(state, &mut response, &started);
    Ok(Some(response))
}
