//! `/callback` on the other host.

use super::{
    HOST, PARENT,
    code::{Kept, take},
};
use crate::{
    front::{client, pages, sign_in},
    http::Peer,
    state::AppState,
};
use axum::{Extension, extract::State, response::Response};
use cloakroom::{
    Proof,
    service::{Cause, Error},
};
use cloakroom_core::{Edits, JsonText, lifecycle::Begin, record::Epoch};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
struct Presented {
    #[serde(default)]
    code: String,
}

/// `GET /callback?code=…` on the other host: once, within 30 s.
pub(in crate::front) async fn redeem(
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
