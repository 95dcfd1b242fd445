//! How a signed-in person gets to a place.

use super::{
    HOST,
    code::{self, Kept},
    parent_of,
};
use crate::{config::WebOrigin, state::AppState};
use cloakroom::{SessionId, service::Error};
use cloakroom_core::{Record, Subject, store::Scope};
use std::time::Duration;
use url::Url;

/// How a signed-in person gets to a place.
pub(in crate::front) enum Way {
    /// Directly: its host sees our cookie.
    Direct,
    /// By this address, which carries the login over.
    By(Url),
    /// Not at all: the browser does not keep the cookie of this host, and would go in a circle.
    NoCookie(String),
}

/// How many logins may be carried over to one host within [`CIRCLE`]: several tabs open at once, a circle goes on.
const CARRIED_MAX: usize = 3;
const CIRCLE: Duration = Duration::from_secs(10);

/// The way to `place` for the person of `record`.
pub(in crate::front) async fn way_to(
    state: &AppState,
    record: &Record,
    place: &Url,
) -> Result<Way, Error> {
    let Some(origin) = WebOrigin::of(place).filter(|origin| state.origins().is_apart(origin))
    else {
        return Ok(Way::Direct);
    };
    let Some(subject) = record.security.subject.clone() else {
        return Ok(Way::Direct);
    };
    let (host, root) = (origin.authority(), parent_of(record).unwrap_or(record.id));
    if carried_lately(state, &subject, root, &host).await? >= CARRIED_MAX {
        return Ok(Way::NoCookie(host));
    }
    let kept = Kept {
        host,
        place: place.clone(),
        subject,
        acr: record.security.acr.clone(),
        amr: record.security.amr.clone(),
        admitted: record.security.admitted.0,
        parent: root,
    };
    let code = code::keep(state, &kept).await?;
    let base = &state.config().server.base_path;
    let Ok(mut callback) = Url::parse(&format!("{origin}{base}/callback")) else {
        return Ok(Way::Direct);
    };
    callback.query_pairs_mut().append_pair("code", &code);
    Ok(Way::By(callback))
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
