//! A session begins.

use std::time::Duration;

use super::Proof;
use crate::change::Edits;
use crate::codec::Unknown;
use crate::data::Data;
use crate::policy::Policy;
use crate::record::{Activity, Device, Epoch, Record, Secrets, Security};
use crate::subject::App;
use crate::time::Timestamp;
use crate::token::{Secret, SessionId, SessionToken};

/// What a new session starts with.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// The application it is for.
    pub app: Option<App>,
    /// Who it belongs to, proven; `None` for an anonymous session.
    pub proof: Option<Proof>,
    /// Where it is used from.
    pub device: Device,
    /// Its first data.
    pub edits: Edits,
    /// Instead of the policy's idle timeout.
    pub idle_timeout: Option<Duration>,
    /// Instead of the policy's absolute timeout; the hard cap still holds.
    pub absolute_timeout: Option<Duration>,
    /// When the subject was proven, where that was earlier: a session that carries another one's login on.
    pub proven_at: Option<Timestamp>,
    /// The store's revocation clock when the proof began (S-07): a login that races with a revocation loses.
    pub admitted: Epoch,
}

/// A new record and the token that opens it; `random` are 16 bytes of id and 16 of secret.
pub fn begin(
    what: &Begin,
    policy: &Policy,
    now: Timestamp,
    random: &[u8; 32],
) -> (Record, SessionToken) {
    let (id, secret) = split(random);
    let token = SessionToken::new(SessionId::from_bytes(id), Secret::from_bytes(secret));
    let idle_timeout = what.idle_timeout.unwrap_or(policy.idle_timeout);
    let hard_cap = now.plus(policy.hard_cap);
    let proof = what.proof.as_ref();
    let security = Security {
        version: 1,
        epoch: 1,
        admitted: what.admitted,
        app: what.app.clone(),
        subject: proof.map(|proof| proof.subject.clone()),
        secrets: Secrets {
            current: token.secret().hash(),
            current_from: None,
            next: None,
            previous: None,
            renewals: 0,
        },
        acr: proof.and_then(|proof| proof.acr.clone()),
        amr: proof.map(|proof| proof.amr.clone()).unwrap_or_default(),
        authenticated_at: proof.map(|_| what.proven_at.map_or(now, |at| at.min(now))),
        created_at: now,
        idle_timeout,
        absolute_deadline: now
            .plus(what.absolute_timeout.unwrap_or(policy.absolute_timeout))
            .min(hard_cap),
        hard_cap,
        grants: Vec::new(),
        freeze: None,
        unknown: Unknown::default(),
    };
    let record = Record {
        id: token.id(),
        version: 1,
        security,
        security_mac: None,
        activity: Activity {
            last_seen: now,
            idle_deadline: now.plus(idle_timeout),
        },
        device: what.device.clone(),
        data: Data::default().apply(&what.edits),
        unknown: Unknown::default(),
    };
    (record, token)
}

fn split(random: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let mut id = [0; 16];
    let mut secret = [0; 16];
    id.copy_from_slice(&random[..16]);
    secret.copy_from_slice(&random[16..]);
    (id, secret)
}
