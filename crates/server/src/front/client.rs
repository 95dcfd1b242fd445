//! Who a request to our pages comes from: the session it presents, and the address it comes from.

use super::cross_host;
use crate::{http::Peer, state::AppState};
use cloakroom::{
    SessionToken,
    service::{Error, Resolved, Verified},
    transport::Presented,
};
use cloakroom_core::{Device, Record, Subject};
use http::{HeaderMap, Uri, header};
use std::{net::IpAddr, sync::Arc};

/// The token that a request presents, if it is shaped like one.
pub(super) fn token(state: &AppState, headers: &HeaderMap) -> Option<SessionToken> {
    let sessions = state.sessions();
    match sessions
        .transports()
        .read(headers, &Uri::from_static("/"), sessions.cookie().name())
    {
        Presented::Token { token, .. } => Some(token),
        Presented::Nothing | Presented::Malformed { .. } => None,
    }
}

/// The live session of a token; this is a use of it.
pub(super) async fn used(
    state: &AppState,
    token: &SessionToken,
) -> Result<Option<Arc<Record>>, Error> {
    match state.sessions().verify(token, true).await? {
        Verified::Active(record) => Ok(Some(record)),
        Verified::Inactive(ended) => {
            state.refused().note(token.id(), ended);
            Ok(None)
        }
    }
}

/// The live session of a token, without using it.
pub(super) async fn found(
    state: &AppState,
    token: &SessionToken,
) -> Result<Option<Arc<Record>>, Error> {
    Ok(match state.sessions().open(token).await? {
        Resolved::Live(found) => Some(Arc::clone(found.record())),
        Resolved::Ended(..) => None,
    })
}

/// The signed-in person of a request, with the session.
pub(super) async fn person(
    state: &AppState,
    headers: &HeaderMap,
) -> Result<Option<(Subject, Arc<Record>)>, Error> {
    let Some(token) = token(state, headers) else {
        return Ok(None);
    };
    let record = used(state, &token).await?;
    // The pages are asked on whatever host the browser is on.
    let host = cross_host::told_host(headers);
    let record = record.filter(|record| cross_host::is_for(record, &host));
    Ok(record.and_then(|record| Some((record.security.subject.clone()?, record))))
}

/// The client's address: the last hop that a trusted proxy tells of, else the peer itself.
pub(super) fn address(state: &AppState, headers: &HeaderMap, peer: Peer) -> Option<IpAddr> {
    let proxies = &state.config().proxy;
    let mut address = peer.ip();
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    // From the nearest hop outwards, as long as who tells of it is trusted.
    for hop in hops.iter().rev() {
        if !proxies.trusts(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(next) => address = Some(next.to_canonical()),
            Err(_) => break,
        }
    }
    address
}

/// The device as its owner may recognise it.
pub(super) fn device(state: &AppState, headers: &HeaderMap, peer: Peer) -> Device {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    let agent = agent.map(|agent| {
        agent
            .chars()
            .filter(|c| !c.is_control())
            .take(256)
            .collect::<String>()
    });
    Device {
        user_agent: agent.map(Into::into),
        ip: address(state, headers, peer).map(|ip| ip.to_string().into()),
        label: None,
    }
}
