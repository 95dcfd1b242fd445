//! One login for several hosts whose cookies are apart: a single-use code carries it over.
//!
//! A token cannot be shown again, because only its hash is kept. So the other host gets a session of its own, with the same
//! subject and the same proof, that remembers which session it began with; a logout ends the whole family.

mod arrival;
mod code;
mod family;
mod way;

pub(super) use arrival::redeem;
use family::parent_of;
pub(super) use family::{end_family, is_for};
pub(super) use way::{Way, way_to};

use http::{HeaderMap, header};

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
