//! `/continue` on the public host: where a login that is there already gives out a code for another host.

use super::{
    HOST,
    browser::BrowserHash,
    code::{self, Kept},
    parent_of,
    way::{self, Apart},
};
use crate::{
    front::{client, pages, sign_in},
    state::AppState,
};
use axum::{extract::State, response::Response};
use cloakroom::{SessionId, Timestamp, service::Error};
use cloakroom_core::{Record, Subject, store::Scope};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// How many logins may be carried over to one host within [`CIRCLE`]: several tabs open at once, a circle goes on.
const CARRIED_MAX: usize = 3;
const CIRCLE: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Deserialize)]
struct Ask {
    #[serde(default)]
    return_to: String,
    #[serde(default)]
    browser: String,
}

/// `GET /continue?return_to=…`: after a login, also one at an own form; with `browser=…`, from the other host.
///
/// It never asks for a password, so that no circle can lead through it: where nobody is signed in, it ends at a page.
pub(in crate::front) async fn go_on(
    State(state): State<AppState>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    let ask = axum::extract::Query::<Ask>::try_from_uri(&uri)
        .map(|query| query.0)
        .unwrap_or_default();
    let place = state.origins().place(&ask.return_to);
    let record = match client::person(&state, &headers).await {
        Ok(Some((_, record))) => record,
        Ok(None) => return nobody(&state, place.as_ref()),
        Err(error) => return pages::unavailable(&state, &error),
    };
    let apart = place
        .as_ref()
        .and_then(|place| way::apart(&state, place).zip(Some(place)));
    match (apart, BrowserHash::read(&ask.browser)) {
        (Some((apart, place)), Some(browser)) => {
            match give_code(&state, &record, &apart, place, browser).await {
                Ok(response) => response,
                Err(error) => pages::unavailable(&state, &error),
            }
        }
        _ => sign_in::send_on(&state, place),
    }
}

/// A browser that keeps no cookie here cannot be told from one whose login is over.
fn nobody(state: &AppState, place: Option<&Url>) -> Response {
    let host = state.public_origin().authority();
    let text = format!(
        "You are not logged in at {host}, or your browser does not keep its cookie. Please allow it and log in again."
    );
    let login = state.login_url(place.map(Url::as_str));
    pages::message_with_link(
        state,
        StatusCode::CONFLICT,
        "A login is missing",
        &text,
        (&login, "Log in"),
    )
}

async fn give_code(
    state: &AppState,
    record: &Record,
    apart: &Apart,
    place: &Url,
    browser: BrowserHash,
) -> Result<Response, Error> {
    let Some(subject) = record.security.subject.clone() else {
        return Ok(nobody(state, Some(place)));
    };
    let root = parent_of(record).unwrap_or(record.id);
    if carried_lately(state, &subject, root, &apart.host).await? >= CARRIED_MAX {
        return Ok(super::no_cookie(state, &apart.host));
    }
    let kept = Kept {
        host: apart.host.clone(),
        place: place.clone(),
        browser,
        subject,
        acr: record.security.acr.clone(),
        amr: record.security.amr.clone(),
        proven_at: record.security.authenticated_at.map(Timestamp::as_millis),
        admitted: record.security.admitted.0,
        parent: root,
    };
    let code = code::keep(state, &kept).await?;
    Ok(pages::see_other(apart.to_redeem(&code).as_str()))
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
