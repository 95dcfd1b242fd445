//! One login for several hosts whose cookies are apart: a single-use code carries it over.
//!
//! A token cannot be shown again, because only its hash is kept. So the other host gets a session of its own, with the same
//! subject and the same proof, that remembers which session it began with; a logout ends the whole family.

use super::{client, pages, sign_in};
use crate::{http::Peer, state::AppState};
use axum::{Extension, extract::State, response::Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use cloakroom::{
    Proof, SessionId,
    service::{Cause, Error},
};
use cloakroom_core::{
    Edits, JsonText, Record, Subject,
    lifecycle::Begin,
    record::Epoch,
    store::{Expected, Kind, Put, Scope},
};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

/// How long a code may take to its host.
const VALID: Duration = Duration::from_secs(30);

/// The name under which a session remembers the one that it began with.
const PARENT: &str = "cloakroom:began-with";
/// And on which host.
const HOST: &str = "cloakroom:host";

#[derive(Serialize, Deserialize)]
struct Kept {
    host: String,
    place: Url,
    subject: Subject,
    acr: Option<Box<str>>,
    amr: Vec<Box<str>>,
    admitted: u64,
    parent: SessionId,
}

/// How a signed-in person gets to a place.
pub(super) enum Way {
    /// Directly: its host sees our cookie.
    Direct,
    /// By this address, which carries the login over.
    By(Url),
    /// Not at all: the browser does not keep the cookie of this host, and would go in a circle.
    NoCookie(String),
}

/// How many logins may be carried over to one host within [`CIRCLE`]: several tabs open at once, a circle goes on.
const CARRIED_MAX: usize = 3;
const CIRCLE: Duration = Duration::from_secs(10);

/// The way to `place` for the person of `record`.
pub(super) async fn way_to(state: &AppState, record: &Record, place: &Url) -> Result<Way, Error> {
    let Some(origin) =
        crate::config::WebOrigin::of(place).filter(|origin| state.origins().is_apart(origin))
    else {
        return Ok(Way::Direct);
    };
    let Some(subject) = record.security.subject.clone() else {
        return Ok(Way::Direct);
    };
    let (host, root) = (origin.authority(), parent_of(record).unwrap_or(record.id));
    if carried_lately(state, &subject, root, &host).await? >= CARRIED_MAX {
        return Ok(Way::NoCookie(host));
    }
    let code = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let kept = Kept {
        host,
        place: place.clone(),
        subject,
        acr: record.security.acr.clone(),
        amr: record.security.amr.clone(),
        admitted: record.security.admitted.0,
        parent: root,
    };
    let now = state.sessions().now();
    let value = Bytes::from(serde_json::to_vec(&kept)?);
    let (name, expires) = (stored_name(&code), Some(now.plus(VALID)));
    state
        .registry()
        .put(
            Kind::Code,
            &name,
            Expected::Absent,
            Some(value),
            expires,
            now,
        )
        .await?;
    let base = &state.config().server.base_path;
    let Ok(mut callback) = Url::parse(&format!("{origin}{base}/callback")) else {
        return Ok(Way::Direct);
    };
    callback.query_pairs_mut().append_pair("code", &code);
    Ok(Way::By(callback))
}

/// How many sessions of the family began on `host` just now.
async fn carried_lately(
    state: &AppState,
    subject: &Subject,
    root: SessionId,
    host: &str,
) -> Result<usize, Error> {
    let sessions = state.sessions();
    let scope = Scope::Subject {
        app: None,
        subject: subject.clone(),
    };
    let now = sessions.now();
    let lately = |record: &Record| {
        let on: Option<String> = record.data.read(HOST).ok().flatten();
        parent_of(record) == Some(root)
            && on.as_deref() == Some(host)
            && now.since(record.security.created_at) < CIRCLE
    };
    let page = sessions.list(scope, None, 100).await?;
    Ok(page.records.iter().filter(|record| lately(record)).count())
}

/// Only the hash is kept: who reads the store cannot redeem a code.
fn stored_name(code: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code.as_bytes()))
}

#[derive(Debug, Default, Deserialize)]
struct Presented {
    #[serde(default)]
    code: String,
}

/// `GET /callback?code=…` on the other host: once, within 30 s.
pub(super) async fn redeem(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    let code = axum::extract::Query::<Presented>::try_from_uri(&uri)
        .map(|query| query.0.code)
        .unwrap_or_default();
    let spent = || {
        let text = "The address was used before, is too old, or is meant for another host. Please open the page again.";
        pages::message(
            &state,
            StatusCode::BAD_REQUEST,
            "This login cannot be used",
            text,
        )
    };
    let kept = match take(&state, &code, &host_of(&state, &headers, peer)).await {
        Ok(Some(kept)) => kept,
        Ok(None) => return spent(),
        Err(error) => return pages::unavailable(&state, &error),
    };
    match settle(&state, &headers, peer, &kept).await {
        Ok(Some(response)) => response,
        Ok(None) => spent(),
        Err(error) => pages::unavailable(&state, &error),
    }
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

/// The host that a page is asked on, for refusing only: a lie about it gains nothing.
pub(super) fn told_host(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("x-forwarded-host")
        .or_else(|| text(header::HOST.as_str()))
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// Takes a code out of the registry: of two who present it, one gets it. A wrong host spends it too.
async fn take(state: &AppState, code: &str, host: &str) -> Result<Option<Kept>, Error> {
    if code.len() != 43 {
        return Ok(None);
    }
    let (registry, now, name) = (state.registry(), state.sessions().now(), stored_name(code));
    let Some(entry) = registry.get(Kind::Code, &name, now).await? else {
        return Ok(None);
    };
    let version = Expected::Version(entry.version);
    let taken = registry
        .put(Kind::Code, &name, version, None, None, now)
        .await?;
    let kept: Option<Kept> = serde_json::from_slice(&entry.value).ok();
    Ok(kept.filter(|kept| matches!(taken, Put::Done(_)) && kept.host == host))
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
        edits,
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

/// Whether a session may be used on `host`: one that was carried over to a host opens nothing on another.
pub(super) fn is_for(record: &Record, host: &str) -> bool {
    let own: Option<String> = record.data.read(HOST).ok().flatten();
    own.is_none_or(|own| own == host)
}

fn parent_of(record: &Record) -> Option<SessionId> {
    record.data.read(PARENT).ok().flatten()
}

/// Ends the other sessions of the family: those that began with the same login on other hosts.
pub(super) async fn end_family(state: &AppState, record: &Record) -> Result<(), Error> {
    let Some(subject) = record.security.subject.clone() else {
        return Ok(());
    };
    let root = parent_of(record).unwrap_or(record.id);
    let scope = Scope::Subject { app: None, subject };
    let mut cursor = None;
    loop {
        let page = state.sessions().list(scope.clone(), cursor, 100).await?;
        for other in &page.records {
            if other.id != record.id && (other.id == root || parent_of(other) == Some(root)) {
                state.sessions().end(other.id, Cause::Ended).await?;
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
