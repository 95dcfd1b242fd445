//! `GET /login` and `POST /login`

use super::{client, pages, sign_in};
use crate::{
    directory::{Attempted, Network, Proven},
    http::Peer,
    state::AppState,
};
use axum::{
    Extension, Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use cloakroom::{Proof, service::Error};
use cloakroom_core::store::Refusal;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use minijinja::context;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    return_to: String,
}

/// The form. Somebody who is signed in already is sent on.
pub(super) async fn show(
    State(state): State<AppState>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    let ask = axum::extract::Query::<Ask>::try_from_uri(&uri)
        .map(|query| query.0)
        .unwrap_or_default();
    let place = state.origins().place(&ask.return_to);
    match client::person(&state, &headers).await {
        Ok(Some(_)) if place.is_some() => sign_in::send_on(&state, place),
        // One's own form, where one is configured.
        Ok(_) if state.config().login.url.is_some() => {
            pages::see_other(&state.login_url(place.as_ref().map(Url::as_str)))
        }
        Ok(_) => form(&state, StatusCode::OK, "", place.as_ref(), None),
        Err(error) => pages::unavailable(&state, &error),
    }
}

fn form(
    state: &AppState,
    status: StatusCode,
    username: &str,
    place: Option<&Url>,
    wrong: Option<&str>,
) -> Response {
    let values =
        context! { username, return_to => place.map(Url::as_str).unwrap_or_default(), wrong };
    pages::page(state, status, "login.html", values)
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: Zeroizing<String>,
    #[serde(default)]
    return_to: String,
}

/// Checks name and password; on success the person has a new token and is sent on.
pub(super) async fn submit(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let Ok(Form(typed)) = typed else {
        return pages::message(
            &state,
            StatusCode::BAD_REQUEST,
            "That was not the login form",
            "Please go back and try again.",
        );
    };
    let place = state.origins().place(&typed.return_to);
    // Before the proof: a revocation from here on wins over this login.
    let admitted = match state.sessions().admitted().await {
        Ok(admitted) => admitted,
        Err(error) => return pages::unavailable(&state, &error),
    };
    let network = Network::of(client::address(&state, &headers, peer));
    let device = sign_in::device_of(&state, &headers);
    let attempted = state
        .directory()
        .prove(&typed.username, typed.password, network, device.as_ref())
        .await;
    let proven = match attempted {
        Ok(Attempted::Proven(proven)) => proven,
        Ok(Attempted::Refused) => {
            tracing::info!(target: "audit", event = "login_refused", ?network, "a wrong name or password");
            let wrong = "That name and password do not fit together.";
            return form(
                &state,
                StatusCode::UNPROCESSABLE_ENTITY,
                &typed.username,
                place.as_ref(),
                Some(wrong),
            );
        }
        Ok(Attempted::Wait(wait)) => {
            let seconds = wait.as_secs().max(1);
            let wrong = format!("Too many attempts. Please wait {seconds} seconds.");
            let mut response = form(
                &state,
                StatusCode::TOO_MANY_REQUESTS,
                &typed.username,
                place.as_ref(),
                Some(&wrong),
            );
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        Err(error) => return pages::directory_failed(&state, error),
    };
    signed_in(&state, &headers, peer, *proven, place, admitted).await
}

/// Why a person who has proven himself has no session.
fn refused(state: &AppState, refusal: Refusal) -> String {
    match refusal {
        Refusal::TooManySessions => {
            let max = state.config().session.max_per_subject;
            let text = "You are logged in already in as many browsers as are allowed";
            format!("{text} ({max}). Please log out in one of them first.")
        }
        Refusal::Revoked => {
            "Your sessions were ended while you were logging in. Please log in again.".to_owned()
        }
    }
}

async fn signed_in(
    state: &AppState,
    headers: &HeaderMap,
    peer: Peer,
    proven: Proven,
    place: Option<Url>,
    admitted: cloakroom_core::record::Epoch,
) -> Response {
    let proof = Proof {
        subject: proven.person.name.clone(),
        acr: None,
        amr: vec!["pwd".into()],
    };
    let started = match sign_in::begin(state, headers, peer, proof, admitted).await {
        Ok(started) => started,
        Err(Error::Refused(refusal)) => {
            let (name, wrong) = (proven.person.name.as_str(), refused(state, refusal));
            let status = StatusCode::CONFLICT;
            return form(state, status, name, place.as_ref(), Some(&wrong));
        }
        Err(error) => return pages::unavailable(state, &error),
    };
    tracing::info!(target: "audit", event = "login", session_id = %started.record.id, subject = proven.person.name.as_str(), "login");
    let mut response = sign_in::send_on(state, place);
    sign_in::set_cookie(state, &mut response, &started);
    sign_in::set_device(state, &mut response, &proven.device);
    response
}
