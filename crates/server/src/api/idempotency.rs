//! `Idempotency-Key`: a repeated request creates no second session.
//!
//! The answer carries a secret, so it is not kept. A repeat gets the same session under a renewed token: every repeat the
//! same one, and the token of the first answer works until the renewed one was first seen. So of two answers that cross on
//! their way, whichever the client keeps is good, and a repeat that comes late throws nobody out.

use super::problem::{session_problem, store_problem};
use crate::{
    credentials::Caller,
    http::{Answer, Problem, problems},
    state::AppState,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use cloakroom::service::{Error, Started, Target};
use cloakroom_core::{
    SessionId, Subject,
    store::{Expected, Kind, Put},
};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a key stands for its request.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a request may take before its key is free again.
const CLAIMED: Duration = Duration::from_secs(60);

/// One idempotent request.
pub(super) struct Once {
    name: String,
    body: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    body: String,
    session: Option<SessionId>,
}

impl Once {
    /// The key of a request, where it has one.
    pub(super) fn of(headers: &HeaderMap, caller: &Caller, body: &str) -> Answer<Option<Self>> {
        let mut values = headers.get_all("idempotency-key").iter();
        let Some(key) = values.next() else {
            return Ok(None);
        };
        let wrong = || {
            Problem::new(&problems::MALFORMED_REQUEST)
                .detail("Idempotency-Key must be one value of 1 to 255 visible ASCII characters")
        };
        let key = key
            .to_str()
            .ok()
            .filter(|key| (1..=255).contains(&key.len()))
            .ok_or_else(wrong)?;
        if values.next().is_some() {
            return Err(wrong());
        }
        let mut name = Sha256::new();
        name.update(caller.name.as_bytes());
        name.update([0]);
        name.update(key.as_bytes());
        Ok(Some(Self {
            name: URL_SAFE_NO_PAD.encode(name.finalize()),
            body: URL_SAFE_NO_PAD.encode(Sha256::digest(body.as_bytes())),
        }))
    }

    fn value(&self, session: Option<SessionId>) -> Bytes {
        let kept = Kept {
            body: self.body.clone(),
            session,
        };
        Bytes::from(serde_json::to_vec(&kept).unwrap_or_default())
    }

    /// Claims the key; the session of an earlier request with it, where there was one.
    ///
    /// A session that somebody else has taken over since is not handed out.
    pub(super) async fn claim(
        &self,
        state: &AppState,
        subject: Option<&Subject>,
    ) -> Answer<Option<Started>> {
        let (now, registry) = (state.sessions().now(), state.registry());
        let expires = Some(now.plus(CLAIMED));
        let claim = self.value(None);
        let put = registry
            .put(
                Kind::Idempotency,
                &self.name,
                Expected::Absent,
                Some(claim),
                expires,
                now,
            )
            .await
            .map_err(|error| store_problem(&error))?;
        let found = match put {
            Put::Done(_) => return Ok(None),
            Put::Conflict(found) => found,
        };
        let kept = found.and_then(|entry| serde_json::from_slice::<Kept>(&entry.value).ok());
        let conflict = |why: &str| Problem::new(&problems::CONFLICT).detail(why);
        match kept {
            Some(kept) if kept.body != self.body => {
                Err(Problem::new(&problems::IDEMPOTENCY_KEY_REUSED))
            }
            Some(Kept {
                session: Some(id), ..
            }) => match state.sessions().renew(Target::Id(id)).await {
                Ok(started) if started.record.security.subject.as_ref() == subject => {
                    Ok(Some(started))
                }
                Ok(_) => Err(conflict(
                    "the session of this Idempotency-Key has another subject now",
                )),
                Err(Error::Ended(_)) => {
                    Err(conflict("the session of this Idempotency-Key has ended"))
                }
                Err(error) => Err(session_problem(&error)),
            },
            _ => Err(conflict(
                "a request with this Idempotency-Key is being worked on",
            )),
        }
    }

    /// Notes what the request led to; a failed one gives its key back.
    pub(super) async fn settle(&self, state: &AppState, session: Option<SessionId>) -> Answer<()> {
        let now = state.sessions().now();
        let value = session.map(|id| self.value(Some(id)));
        let expires = Some(now.plus(KEPT));
        let put = state.registry().put(
            Kind::Idempotency,
            &self.name,
            Expected::Anything,
            value,
            expires,
            now,
        );
        put.await.map(drop).map_err(|error| store_problem(&error))
    }
}
