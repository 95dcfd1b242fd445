//! `ANY /forward-auth`: for Caddy and Traefik, which hand any answer but a 2xx on to the browser (FA-2).

use super::{
    identity::{judge, one, passed, trusted},
    pages,
};
use crate::{
    gate::{Target, Verdict},
    http::{Answer, Peer, Problem, problems},
    state::AppState,
};
use axum::{Extension, extract::State};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// 200; a browser without a session is sent to the login (302, or 303 after a form), a program gets 401; 403 where
/// somebody is signed in and not allowed, never a redirect; 503 where the store is out of reach. No cookie is set.
pub(super) async fn answer(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Answer {
    trusted(&state, peer)?;
    let (proto, host) = (
        one(&headers, "x-forwarded-proto")?,
        one(&headers, "x-forwarded-host")?,
    );
    let (uri, method) = (
        one(&headers, "x-forwarded-uri")?,
        one(&headers, "x-forwarded-method")?,
    );
    let wrong = |why: &str| Problem::new(&problems::MALFORMED_REQUEST).detail(why.to_owned());
    // A host may hold neither a path nor a user name, else the URL below would be another one.
    if host.is_empty() || host.contains(['/', '\\', '@', '?', '#', ',', ' ']) {
        return Err(wrong("X-Forwarded-Host is no host"));
    }
    if !uri.starts_with('/') {
        return Err(wrong("X-Forwarded-Uri is no path"));
    }
    let target = Target::parse(&format!("{proto}://{host}{uri}"), method)
        .map_err(|error| wrong(&error.to_string()))?;
    let (verdict, record) = judge(&state, &headers, &target).await?;
    match verdict {
        Verdict::Allowed => Ok(passed(record.as_deref())),
        Verdict::Forbidden => {
            Err(Problem::new(&problems::FORBIDDEN)
                .detail("you are signed in, and not allowed here"))
        }
        Verdict::SignIn if wants_page(&headers) => {
            let status = if matches!(method, "GET" | "HEAD") {
                StatusCode::FOUND
            } else {
                StatusCode::SEE_OTHER
            };
            Ok(pages::redirect(
                status,
                &state.login_url(Some(target.url.as_str())),
            ))
        }
        Verdict::SignIn => {
            let challenge = HeaderValue::from_static("Cookie realm=\"cloakroom\"");
            Err(Problem::new(&problems::SIGN_IN).header(header::WWW_AUTHENTICATE, challenge))
        }
    }
}

/// A navigation of a browser, not a script's request.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"));
    let scripted = headers
        .get("x-requested-with")
        .is_some_and(|by| by.as_bytes().eq_ignore_ascii_case(b"XMLHttpRequest"));
    accepts && !scripted
}
