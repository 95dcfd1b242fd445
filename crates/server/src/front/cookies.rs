//! Cookies besides the session's: each opens nothing by itself.

use crate::state::AppState;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use std::time::Duration;

/// A cookie of ours, kept by one host alone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Own {
    /// By which a device is known at its next login.
    Device,
    /// By which a browser is known again that asked for a login to be carried over to this host.
    Arrival,
}

impl Own {
    /// Its name; the prefix makes the browser refuse it without Secure, with Domain or another path (CK-8).
    fn name(self, is_secure: bool) -> &'static str {
        match (self, is_secure) {
            (Self::Device, true) => "__Host-device",
            (Self::Device, false) => "device",
            (Self::Arrival, true) => "__Host-arrival",
            (Self::Arrival, false) => "arrival",
        }
    }

    /// What a request presents under its name. Two of them: one may be planted, so there is none (CK-13).
    pub(super) fn read(self, state: &AppState, headers: &HeaderMap) -> Option<String> {
        let name = self.name(state.config().server.cookies_are_secure());
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(candidate, _)| *candidate == name);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.to_owned())
    }

    /// Adds it to an answer.
    pub(super) fn set(
        self,
        state: &AppState,
        response: &mut Response,
        value: &str,
        lifetime: Duration,
    ) {
        let is_secure = state.config().server.cookies_are_secure();
        let (name, age) = (self.name(is_secure), lifetime.as_secs());
        let secure = if is_secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; HttpOnly{secure}; SameSite=Lax; Path=/; Max-Age={age}");
        if let Ok(mut value) = HeaderValue::try_from(text) {
            value.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}
