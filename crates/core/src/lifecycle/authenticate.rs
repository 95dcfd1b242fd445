//! The subject proves himself, anew or for the first time; or his privileges change. The old secret dies at once.

use crate::change::{Change, Edits};
use crate::policy::Policy;
use crate::record::{Activity, Epoch, PreviousSecret, Record, Secrets, Security};
use crate::subject::Subject;
use crate::time::Timestamp;
use crate::token::{Secret, SessionToken};

/// Who was proven, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Who.
    pub subject: Subject,
    /// How strongly (`acr`).
    pub acr: Option<Box<str>>,
    /// By which methods (`amr`, RFC 8176).
    pub amr: Vec<Box<str>>,
}

impl Proof {
    /// A subject proven by means that are not told.
    pub fn of(subject: Subject) -> Self {
        Self {
            subject,
            acr: None,
            amr: Vec::new(),
        }
    }
}

/// A change that gives the session a new secret, and the token that carries it.
#[derive(Debug, Clone)]
pub struct Reauthenticated {
    /// To be written with the security version that was read.
    pub change: Change,
    /// To be handed out once the write succeeded.
    pub token: SessionToken,
}

/// `record` after its subject was proven as `proof` says: a new secret, the old one dead at once (a fixed token must not
/// ride along: OW-10, AV-7.2.4), both timers reset (NI-6), the hard cap untouched.
///
/// Where another subject takes the session over, the data of the one before goes; data of an anonymous session stays.
pub fn authenticate(
    record: &Record,
    proof: &Proof,
    admitted: Epoch,
    policy: &Policy,
    now: Timestamp,
    random: &[u8; 16],
) -> Reauthenticated {
    let old = &record.security;
    let (secrets, token) = new_secret(record, now, random);
    let mut edits = Edits::new();
    if old
        .subject
        .as_ref()
        .is_some_and(|subject| *subject != proof.subject)
    {
        edits.clear();
    }
    let lifetime = old
        .absolute_deadline
        .since(old.authenticated_at.unwrap_or(old.created_at));
    let lifetime = if lifetime.is_zero() {
        policy.absolute_timeout
    } else {
        lifetime
    };
    let security = Security {
        version: old.version + 1,
        epoch: old.epoch + 1,
        admitted,
        subject: Some(proof.subject.clone()),
        secrets,
        acr: proof.acr.clone(),
        amr: proof.amr.clone(),
        authenticated_at: Some(now),
        absolute_deadline: now.plus(lifetime).min(old.hard_cap),
        // Rights to refresh were given to the subject before.
        grants: if edits.clears() {
            Vec::new()
        } else {
            old.grants.clone()
        },
        freeze: None,
        ..old.clone()
    };
    let activity = Activity {
        last_seen: now,
        idle_deadline: now.plus(old.idle_timeout),
    };
    let change = Change {
        edits,
        security: Some(security),
        activity: Some(activity),
        device: None,
    };
    Reauthenticated { change, token }
}

/// A new secret without a new proof, the old one dead at once: for a change of privilege that the session carries on
/// with, such as a role or a password changed by the person himself (OW-10).
pub fn replace_secret(record: &Record, now: Timestamp, random: &[u8; 16]) -> Reauthenticated {
    let (secrets, token) = new_secret(record, now, random);
    let old = &record.security;
    let security = Security {
        version: old.version + 1,
        epoch: old.epoch + 1,
        secrets,
        ..old.clone()
    };
    Reauthenticated {
        change: Change {
            security: Some(security),
            ..Change::default()
        },
        token,
    }
}

fn new_secret(record: &Record, now: Timestamp, random: &[u8; 16]) -> (Secrets, SessionToken) {
    let token = SessionToken::new(record.id, Secret::from_bytes(*random));
    let old = &record.security.secrets;
    let secrets = Secrets {
        current: token.secret().hash(),
        current_from: None,
        next: None,
        // Kept only to recognise its use; it opens nothing from this moment.
        previous: Some(PreviousSecret {
            hash: old.current,
            until: now,
        }),
        renewals: old.renewals,
    };
    (secrets, token)
}
