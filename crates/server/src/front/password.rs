//! `/account/password`: the person chooses another password.

use super::{account, pages, reproof::Asking};
use crate::{http::Peer, state::AppState};
use axum::{
    Extension, Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use cloakroom_core::Subject;
use http::{HeaderMap, StatusCode};
use minijinja::context;
use serde::Deserialize;
use zeroize::Zeroizing;

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    current: Zeroizing<String>,
    new: Zeroizing<String>,
    again: Zeroizing<String>,
}

/// The form.
pub(super) async fn show(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let (subject, own) = match account::person(&state, &headers).await {
        Ok(person) => person,
        Err(response) => return *response,
    };
    let asking = Asking {
        state: &state,
        headers: &headers,
        peer,
        subject: &subject,
        own: &own,
    };
    match asking.has_password_here().await {
        Ok(()) => form(&state, &subject, StatusCode::OK, None),
        Err(response) => *response,
    }
}

fn form(state: &AppState, subject: &Subject, status: StatusCode, wrong: Option<&str>) -> Response {
    let shortest = crate::directory::SHORTEST_CHOSEN;
    let values = context! { subject => subject.as_str(), shortest, wrong };
    pages::page(state, status, "password.html", values)
}

/// Changes it: the current one is asked for in any case (AV-7.5.1), the session gets a new token, all others end (OW-10,
/// AV-7.4.3).
pub(super) async fn submit(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let (subject, own) = match account::person(&state, &headers).await {
        Ok(person) => person,
        Err(response) => return *response,
    };
    let asking = Asking {
        state: &state,
        headers: &headers,
        peer,
        subject: &subject,
        own: &own,
    };
    let typed = typed.map(|Form(typed)| typed).unwrap_or_default();
    match change(&asking, typed).await {
        Ok(response) | Err(response) => *response,
    }
}

async fn change(asking: &Asking<'_>, typed: Typed) -> Result<Box<Response>, Box<Response>> {
    let (state, subject) = (asking.state, asking.subject);
    let refused = |why: &str| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Box::new(form(state, subject, status, Some(why)))
    };
    asking.has_password_here().await?;
    crate::directory::check_chosen(subject.as_str(), &typed.new)
        .map_err(|error| refused(&format!("Please choose another one: {error}.")))?;
    if *typed.new != *typed.again {
        return Err(refused("The two new passwords are not the same."));
    }
    let proven = asking.prove(typed.current).await;
    let proven = proven
        .map_err(|why| why.answer(|status, told| form(state, subject, status, Some(told))))?;
    let changed = state
        .directory()
        .set_password(subject.as_str(), Some(typed.new), Some(asking.own.id))
        .await;
    let response = match changed {
        Ok(_) => {
            tracing::info!(target: "audit", event = "password_changed_by_owner", session_id = %asking.own.id, subject = subject.as_str(), "password");
            pages::see_other(&format!("{}/account?done=password", state.base_url()))
        }
        Err(error) => pages::directory_failed(state, error),
    };
    // Also where it failed: the token was replaced with the proof.
    Ok(Box::new(proven.hand_out(state, response)))
}
