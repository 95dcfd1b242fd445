//! `ANY /auth-request`: for nginx and HAProxy, which understand 2xx, 401 and 403 (FA-1).

use super::identity::{judge, one, passed, trusted};
use crate::{
    gate::{Target, Verdict},
    http::{Answer, Peer, Problem, no_store, problems},
    state::AppState,
};
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// 200, 401 with the login page as Location, 403, or 503 where the store is out of reach. No cookie is set.
pub(super) async fn answer(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Answer {
    trusted(&state, peer)?;
    let url = one(&headers, "x-original-url")?;
    // Older configurations do not tell the method; then it is a page that is asked for.
    let method = match headers.contains_key("x-original-method") {
        true => one(&headers, "x-original-method")?,
        false => "GET",
    };
    let target = Target::parse(url, method)
        .map_err(|error| Problem::new(&problems::MALFORMED_REQUEST).detail(error.to_string()))?;
    let (verdict, record) = judge(&state, &headers, &target).await?;
    match verdict {
        Verdict::Allowed => Ok(passed(record.as_deref())),
        Verdict::Forbidden => Err(Problem::new(&problems::FORBIDDEN)),
        Verdict::SignIn => Ok(sign_in(&state, &target)),
    }
}

fn sign_in(state: &AppState, target: &Target) -> Response {
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    let headers = response.headers_mut();
    no_store(headers);
    if let Ok(login) = HeaderValue::try_from(state.login_url(Some(target.url.as_str()))) {
        headers.insert(header::LOCATION, login);
    }
    headers.insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Cookie realm=\"cloakroom\""),
    );
    response
}
