//! What one request knows about its session.

use std::net::IpAddr;

use cloakroom_core::change::Edits;
use cloakroom_core::data::Data;
use cloakroom_core::lifecycle::{Draft, Ended, Intent, Outcome};
use cloakroom_core::record::{Device, Epoch, Record};
use cloakroom_core::{SessionToken, Subject};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;

use super::Error;
use crate::Sessions;
use crate::service::{Found, Resolved};
use crate::transport::{Presented, Transport};

/// Characters of a `User-Agent` that are kept.
const USER_AGENT_MAX: usize = 256;

/// What the layer notes of a request: handles only, nothing is copied.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) presented: Presented,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) target: Option<PathAndQuery>,
    /// Not GET, HEAD or OPTIONS: it may be a login.
    pub(crate) is_unsafe: bool,
}

/// What all handles to one request's session share.
pub(crate) struct Inner {
    pub(crate) sessions: Sessions,
    pub(crate) request: Request,
    pub(super) state: Mutex<State>,
    /// Makes the loads and writes of this one request follow each other; no other request ever waits for it.
    pub(super) gate: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) basis: Basis,
    pub(super) draft: Draft,
    /// The draft carries the revocation clock as it was before any proof could have begun.
    pub(super) stamped: bool,
    pub(super) reply: Reply,
    /// A handle of this request is writing: what it writes is neither in the draft nor in the record.
    pub(super) writing: bool,
    /// The response has left, or is about to.
    pub(super) closed: bool,
}

/// What the request stands on.
#[derive(Default)]
pub(super) enum Basis {
    /// Nobody has looked yet.
    #[default]
    Unread,
    /// No session, or one that ended.
    Nothing,
    /// A live session.
    Live(Found),
}

/// What the response tells the client about its token.
#[derive(Debug, Clone, Default)]
pub(crate) enum Reply {
    /// Nothing.
    #[default]
    Keep,
    /// To use this one from now on.
    Give(SessionToken),
    /// To forget what it presented.
    Forget,
}

/// How a new token reaches the client.
pub(crate) enum Way<'a> {
    Cookie,
    Header(&'a HeaderName),
}

impl State {
    pub(super) fn found(&self) -> Option<&Found> {
        match &self.basis {
            Basis::Live(found) => Some(found),
            Basis::Unread | Basis::Nothing => None,
        }
    }

    pub(super) fn record(&self) -> Option<&Record> {
        self.found().map(|found| &**found.record())
    }

    pub(super) fn is_read(&self) -> bool {
        !matches!(self.basis, Basis::Unread)
    }

    /// What is stored and this request's changes to it.
    fn view(&self) -> (Option<Found>, Edits) {
        (self.found().cloned(), self.draft.edits.clone())
    }

    /// Who it belongs to, as far as this request knows.
    pub(super) fn subject(&self) -> Option<&Subject> {
        match &self.draft.intent {
            Intent::Authenticate(proof) => Some(&proof.subject),
            _ => self.record()?.security.subject.as_ref(),
        }
    }

    /// The revocation clock as it was before the proof began.
    pub(super) fn stamp(&mut self, admitted: Epoch) {
        self.draft.admitted = admitted;
        self.stamped = true;
    }

    /// The stronger wish wins: a renewal never cancels a login.
    pub(super) fn want(&mut self, intent: Intent) {
        if rank(&intent) > rank(&self.draft.intent) {
            self.draft.intent = intent;
        }
    }

    pub(super) fn has_draft(&self) -> bool {
        !self.draft.edits.is_empty() || self.draft.intent != Intent::Keep
    }
}

pub(super) fn rank(intent: &Intent) -> u8 {
    match intent {
        Intent::Keep => 0,
        Intent::Renew => 1,
        Intent::Replace => 2,
        Intent::Authenticate(_) => 3,
    }
}

/// What is stored, with the changes of `draft`; a login over another subject's session has put a clear there.
pub(super) fn data(found: Option<&Found>, draft: &Draft) -> Data {
    let stored = found.map(|found| found.record().data.clone());
    stored.unwrap_or_default().apply(&draft.edits)
}

impl Inner {
    pub(crate) fn new(sessions: Sessions, request: Request) -> Self {
        Self {
            sessions,
            request,
            state: Mutex::default(),
            gate: tokio::sync::Mutex::new(()),
        }
    }

    /// How this client is given a new token: the way its old one came; a client without one, by the first transport that
    /// can carry it.
    pub(crate) fn way_back(&self) -> Option<Way<'_>> {
        let transports = self.sessions.transports();
        let header = transports.response_header_name().map(Way::Header);
        match self.request.presented.by() {
            Some(Transport::Cookie) => Some(Way::Cookie),
            Some(_) => header,
            None if transports.list().first() == Some(&Transport::Cookie) => Some(Way::Cookie),
            None if header.is_none() && transports.list().contains(&Transport::Cookie) => {
                Some(Way::Cookie)
            }
            None => header,
        }
    }

    /// Whether a new token can still reach the client.
    pub(super) fn can_give(&self) -> Result<(), Error> {
        if self.state.lock().closed {
            return Err(Error::TooLate);
        }
        self.way_back().map(drop).ok_or(Error::NoWayBack)
    }

    /// What is stored and this request's changes to it; a write under way by another handle of the request is seen whole
    /// or not at all, so it is waited for.
    pub(super) async fn view(&self) -> Result<(Option<Found>, Edits), Error> {
        {
            let state = self.state.lock();
            if state.is_read() && !state.writing {
                return Ok(state.view());
            }
        }
        let _gate = self.gate.lock().await;
        self.look().await?;
        Ok(self.state.lock().view())
    }

    /// Loads the record if nobody has looked yet; the caller holds the gate.
    pub(super) async fn look(&self) -> Result<(), Error> {
        if self.state.lock().is_read() {
            return Ok(());
        }
        self.sessions.sweep_if_due();
        let basis = match &self.request.presented {
            Presented::Token { token, .. } => match self.sessions.open(token).await? {
                Resolved::Live(found) => Basis::Live(found),
                Resolved::Ended(id, why) => {
                    note_dead_token(id, why);
                    Basis::Nothing
                }
            },
            Presented::Nothing | Presented::Malformed { .. } => Basis::Nothing,
        };
        // A login usually comes by an unsafe method from someone who is not signed in: read the revocation clock now,
        // before the handler looks at a password.
        let signed_in =
            matches!(&basis, Basis::Live(found) if found.record().security.subject.is_some());
        let admitted = match self.request.is_unsafe && !signed_in {
            true => Some(self.sessions.admitted().await?),
            false => None,
        };
        let mut state = self.state.lock();
        if let Some(admitted) = admitted.filter(|_| !state.stamped) {
            state.stamp(admitted);
        }
        if matches!(basis, Basis::Nothing) {
            state.reply = self.forget();
        }
        state.basis = basis;
        Ok(())
    }

    /// A cookie that opens nothing is taken away; other transports are the client's own business.
    pub(super) fn forget(&self) -> Reply {
        match self.request.presented.by() {
            Some(Transport::Cookie) => Reply::Forget,
            _ => Reply::Keep,
        }
    }

    /// The device as this request shows it.
    pub(super) fn device(&self) -> Device {
        let agent = self
            .request
            .user_agent
            .as_ref()
            .and_then(|agent| agent.to_str().ok());
        Device {
            // Only visible ASCII has a text here, so every byte is a character.
            user_agent: agent.map(|agent| agent.get(..USER_AGENT_MAX).unwrap_or(agent).into()),
            ip: self.request.ip.map(|ip| ip.to_string().into()),
            label: None,
        }
    }

    /// Whether the end of a request that only read has anything to write.
    pub(super) fn is_due(&self, outcome: Outcome) -> bool {
        use cloakroom_core::lifecycle::{Via, touch_due};
        let state = self.state.lock();
        let Some(found) = state.found() else {
            return false;
        };
        let timed = outcome == Outcome::Answered && self.sessions.policy().renew_every.is_some();
        timed
            || found.via() != Via::Current
            || touch_due(found.record(), self.sessions.policy(), self.sessions.now()).is_some()
    }
}

/// Quiet, because strangers can send as many as they like; only who once held a secret can cause the louder line.
fn note_dead_token(id: cloakroom_core::SessionId, why: Ended) {
    if why == Ended::Retired {
        tracing::info!(target: "audit", session_id = %id, "a retired session token was presented");
    } else {
        tracing::debug!(session_id = %id, why = why.as_str(), "the presented token opens no session");
    }
}
