//! A new secret for the same session, without a new proof: confirm, then retire.
//!
//! The old secret works until the new one was first seen and the grace longer, so a lost response logs nobody out. The
//! new secret is derived, so however often and wherever the old one asks, the answer is the same.

use crate::change::Change;
use crate::lifecycle::Via;
use crate::policy::Policy;
use crate::record::{Derivation, NextSecret, PreviousSecret, Record, Secrets, Security};
use crate::time::Timestamp;
use crate::token::{RenewalKey, Secret, SessionToken};

/// The answer to a renewal.
#[derive(Debug, Clone)]
pub enum Renewal {
    /// A renewal begins: write the change, then hand out the token.
    Begun {
        /// To be written with the security version that was read.
        change: Box<Change>,
        /// To be handed out once the write succeeded.
        token: SessionToken,
    },
    /// One is under way already, or the asker missed its answer: the same token again, nothing to write.
    Same(SessionToken),
}

/// Whether the policy's timer asks for a renewal of `record`, opened by `via`, now.
pub fn renewal_due(record: &Record, via: Via, policy: &Policy, now: Timestamp) -> bool {
    let Some(every) = policy.renew_every else {
        return false;
    };
    let security = &record.security;
    let last = match (via, security.secrets.next, security.secrets.previous) {
        // A request in flight, or the first sight of the last renewal: its jar has just been given a secret.
        (Via::Previous | Via::Next, ..) => return false,
        // The client has not shown the new secret yet: offer it again.
        (Via::Current, Some(_), _) => return true,
        (Via::Current, None, Some(previous)) => previous.until,
        (Via::Current, None, None) => security.authenticated_at.unwrap_or(security.created_at),
    };
    now.since(last) >= every
}

/// The renewal of `record` for a holder of the secret that `via` names. A session opened by its next secret is
/// confirmed first ([`confirm`]); this function does both in one change.
pub fn renew(
    record: &Record,
    via: Via,
    key: &RenewalKey,
    now: Timestamp,
    grace: std::time::Duration,
    nonce: &[u8; 16],
) -> Renewal {
    let secrets = &record.security.secrets;
    let derive = |from: Derivation| {
        SessionToken::new(
            record.id,
            Secret::derive(key, record.id, from.number, &from.nonce),
        )
    };
    match (via, secrets.next, secrets.current_from) {
        (Via::Previous, _, Some(from)) => return Renewal::Same(derive(from)),
        (Via::Current, Some(next), _) => return Renewal::Same(derive(next.from)),
        _ => {}
    }
    let confirmed = confirmed(secrets, via, now, grace);
    let from = Derivation {
        number: secrets.renewals + 1,
        nonce: *nonce,
    };
    let token = derive(from);
    let next = NextSecret {
        hash: token.secret().hash(),
        from,
        issued_at: now,
    };
    let secrets = Secrets {
        next: Some(next),
        renewals: from.number,
        ..confirmed
    };
    Renewal::Begun {
        change: Box::new(with(record, secrets)),
        token,
    }
}

/// The first sight of the next secret: it becomes the current one, the old one lives for the grace. `None` where the
/// session was opened by another secret.
pub fn confirm(record: &Record, via: Via, policy: &Policy, now: Timestamp) -> Option<Change> {
    let secrets = &record.security.secrets;
    (via == Via::Next && secrets.next.is_some())
        .then(|| with(record, confirmed(secrets, via, now, policy.renew_grace)))
}

fn confirmed(secrets: &Secrets, via: Via, now: Timestamp, grace: std::time::Duration) -> Secrets {
    match (via, secrets.next) {
        (Via::Next, Some(next)) => Secrets {
            current: next.hash,
            current_from: Some(next.from),
            next: None,
            previous: Some(PreviousSecret {
                hash: secrets.current,
                until: now.plus(grace),
            }),
            renewals: secrets.renewals,
        },
        _ => secrets.clone(),
    }
}

fn with(record: &Record, secrets: Secrets) -> Change {
    let old = &record.security;
    let security = Security {
        version: old.version + 1,
        secrets,
        ..old.clone()
    };
    Change {
        security: Some(security),
        ..Change::default()
    }
}
