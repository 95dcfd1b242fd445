//! The addresses between the public host, which keeps the login, and a host that does not see its cookie.

use super::browser::BrowserHash;
use crate::{config::WebOrigin, state::AppState};
use url::Url;

/// A host of ours that needs a cookie of its own.
pub(in crate::front) struct Apart {
    /// As its `Host` header names it.
    pub(super) host: String,
    callback: Url,
}

/// The host of `place`, where it does not see the cookie of the public host.
pub(in crate::front) fn apart(state: &AppState, place: &Url) -> Option<Apart> {
    let origin = WebOrigin::of(place).filter(|origin| state.origins().is_apart(origin))?;
    let mut callback = place.clone();
    callback.set_path(&format!("{}/callback", state.config().server.base_path));
    callback.set_query(None);
    callback.set_fragment(None);
    Some(Apart {
        host: origin.authority(),
        callback,
    })
}

impl Apart {
    /// Where the browser gets its secret, before it comes back to the public host.
    pub(in crate::front) fn to_begin(&self, place: &Url) -> Url {
        let mut url = self.callback.clone();
        url.query_pairs_mut()
            .append_pair("return_to", place.as_str());
        url
    }

    /// Where the code becomes a session.
    pub(super) fn to_redeem(&self, code: &str) -> Url {
        let mut url = self.callback.clone();
        url.query_pairs_mut().append_pair("code", code);
        url
    }
}

/// Back to the public host, for a code that only the browser of `browser` can use.
pub(super) fn to_continue(state: &AppState, place: &Url, browser: &BrowserHash) -> String {
    let mut url = state.continue_url(place);
    url.push_str("&browser=");
    url.push_str(browser.as_str());
    url
}
