//! Who a proxied request comes from, and the headers that tell the application.

use super::{client, cross_host};
use crate::{
    api::{session_problem, store_problem},
    gate::{Target, Verdict, decide},
    http::{Peer, Problem, problems},
    state::AppState,
};
use axum::response::{IntoResponse, Response};
use cloakroom_core::Record;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::sync::Arc;

/// What does not stand in a header as it is: controls, everything beyond ASCII, and the percent sign itself, so that the
/// application can decode without doubt. Plain names stay as they are.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b'"').add(b',').add(b';');

const X_AUTH_SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const X_AUTH_SESSION_ID: HeaderName = HeaderName::from_static("x-auth-session-id");
const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// The verdict on a proxied request, and the session behind it.
pub(super) async fn judge(
    state: &AppState,
    headers: &HeaderMap,
    target: &Target,
) -> Result<(Verdict, Option<Arc<Record>>), Problem> {
    if !state.origins().has(&target.origin) {
        return Err(Problem::new(&problems::FORBIDDEN).detail("the host is none of this server's"));
    }
    let record = match client::token(state, headers) {
        Some(token) => client::used(state, &token)
            .await
            .map_err(|error| session_problem(&error))?,
        None => None,
    };
    let record = record.filter(|record| cross_host::is_for(record, &target.origin.authority()));
    let subject = record
        .as_ref()
        .and_then(|record| record.security.subject.as_ref());
    let roles = match subject {
        Some(subject) if !state.config().access.is_empty() => state
            .directory()
            .roles(subject)
            .await
            .map_err(|error| match error {
                crate::directory::Error::Registry(error) => store_problem(&error),
                error => Problem::from(error),
            })?,
        _ => Vec::new(),
    };
    let verdict = decide(
        &state.config().access,
        target,
        subject.map(|subject| (subject, &roles[..])),
    );
    Ok((verdict, record))
}

/// 200 with the identity headers: each always there, empty where nothing is known, so that none of the client's own gets
/// through (FA-4). `X-Auth-Token` stays empty until the server issues tokens.
pub(super) fn passed(record: Option<&Record>) -> Response {
    let subject = record.and_then(|record| record.security.subject.as_ref());
    let subject = subject.map_or_else(String::new, |subject| {
        utf8_percent_encode(subject.as_str(), ESCAPED).to_string()
    });
    let id = record
        .filter(|_| !subject.is_empty())
        .map_or_else(String::new, |record| record.id.to_string());
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    // Room for what is added further out too, so that the map does not grow twice.
    headers.reserve(12);
    headers.insert(X_AUTH_SUBJECT, value(subject));
    headers.insert(X_AUTH_SESSION_ID, value(id));
    headers.insert(X_AUTH_TOKEN, HeaderValue::from_static(""));
    crate::http::no_store(headers);
    response
}

/// Refuses peers whose word about the request cannot be believed (FA-5).
pub(super) fn trusted(state: &AppState, peer: Peer) -> Result<(), Problem> {
    if state.config().proxy.trusts(peer.ip()) {
        return Ok(());
    }
    Err(Problem::new(&problems::FORBIDDEN)
        .detail("this peer is no trusted proxy; see [proxy] trusted"))
}

/// The one value of a header that a proxy sets.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    let wrong =
        |why: &str| Problem::new(&problems::MALFORMED_REQUEST).detail(format!("{name}: {why}"));
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| wrong("is missing"))?;
    if values.next().is_some() {
        return Err(wrong("stands twice"));
    }
    value.to_str().map_err(|_| wrong("is not plain text"))
}
