//! One login for several hosts whose cookies are apart: a single-use code carries it over.
//!
//! A token cannot be shown again, because only its hash is kept. So the other host gets a session of its own, with the same
//! subject and the same proof, that remembers which session it began with; a logout ends the whole family.
//!
//! The way of the browser, A being the public host and B the other: B's page → A `/login` → B `/callback?return_to=…`, which
//! sets a secret in a cookie → A `/continue?…&browser=<its hash>`, which answers a code for that hash → B
//! `/callback?code=…`, which takes code and secret together → B's page.

mod arrival;
mod browser;
mod code;
mod departure;
mod family;
mod way;

pub(super) use arrival::arrive;
pub(super) use departure::go_on;
use family::parent_of;
pub(super) use family::{end_family, is_for};
pub(super) use way::apart;

use super::pages;
use crate::state::AppState;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};

/// The name under which a session remembers the one that it began with.
const PARENT: &str = "cloakroom:began-with";
/// And on which host.
const HOST: &str = "cloakroom:host";

/// The host that a page is asked on, for refusing only: a lie about it gains nothing.
pub(super) fn told_host(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("x-forwarded-host")
        .or_else(|| text(header::HOST.as_str()))
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// The end of the way for a browser that does not keep what `host` sets: it would go in a circle.
fn no_cookie(state: &AppState, host: &str) -> Response {
    let text = format!(
        "Your browser does not keep the cookie of {host}, or the login began in another browser. Please allow the cookie and open the page again."
    );
    pages::message(state, StatusCode::CONFLICT, "A cookie is missing", &text)
}
