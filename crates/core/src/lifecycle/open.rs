//! May this session be used now, with this secret?

use crate::record::{PreviousSecret, Record, Secrets};
use crate::store::Loaded;
use crate::time::Timestamp;
use crate::token::SecretHash;

/// The verdict on a loaded record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It may be used.
    Live(Live),
    /// It may not, and why.
    Ended(Ended),
}

/// How a live session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// Which of its secrets was presented.
    pub via: Via,
}

/// Which secret opened a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The current one, or none because the caller came by session id.
    Current,
    /// The one of a renewal, for the first time: [`super::confirm`] must be written at once, not as a touch.
    Next,
    /// The one before, within its grace: a request in flight or a lost response.
    Previous,
}

/// Why a session cannot be used. To the client all of these look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// There is no such session, or no longer.
    Unknown,
    /// The id exists, the secret never did.
    WrongSecret,
    /// A secret that was replaced and is past its grace: an audit event, perhaps a thief.
    Retired,
    /// Silent for too long.
    Idle,
    /// Past its absolute deadline.
    Absolute,
    /// Past its hard cap.
    HardCap,
    /// Revoked with all sessions of its subject, or with all there are.
    Revoked,
    /// Frozen until its subject proves himself again.
    Frozen,
}

impl Ended {
    /// A stable lower-case word for logs, metrics and the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::WrongSecret => "wrong_secret",
            Self::Retired => "retired_secret",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::HardCap => "hard_cap",
            Self::Revoked => "revoked",
            Self::Frozen => "frozen",
        }
    }
}

/// The verdict for a presented secret. The secret is judged first, so that without it nobody learns why a session ended.
pub fn open(loaded: &Loaded, presented: &SecretHash, now: Timestamp) -> Opened {
    let now = loaded.store_now.unwrap_or(now);
    let via = match via(&loaded.record.security.secrets, presented, now) {
        Ok(via) => via,
        Err(ended) => return Opened::Ended(ended),
    };
    match live_by_id(loaded, now) {
        Ok(()) => Opened::Live(Live { via }),
        Err(ended) => Opened::Ended(ended),
    }
}

/// The verdict for a caller who may act by session id.
///
/// # Errors
/// Why the session cannot be used.
pub fn live_by_id(loaded: &Loaded, now: Timestamp) -> Result<(), Ended> {
    let now = loaded.store_now.unwrap_or(now);
    let record: &Record = &loaded.record;
    if record.security.admitted < loaded.not_before {
        return Err(Ended::Revoked);
    }
    // A deadline is the first moment at which the session is over.
    if now >= record.security.hard_cap {
        return Err(Ended::HardCap);
    }
    if now >= record.security.absolute_deadline {
        return Err(Ended::Absolute);
    }
    if now >= record.activity.idle_deadline {
        return Err(Ended::Idle);
    }
    if record.security.freeze.is_some() {
        return Err(Ended::Frozen);
    }
    Ok(())
}

fn via(secrets: &Secrets, presented: &SecretHash, now: Timestamp) -> Result<Via, Ended> {
    // Every comparison is made, so that time tells nothing about which one matched.
    let current = secrets.current == *presented;
    let next = secrets.next.is_some_and(|next| next.hash == *presented);
    let previous = secrets
        .previous
        .filter(|previous| previous.hash == *presented);
    match (current, next, previous) {
        (true, ..) => Ok(Via::Current),
        (_, true, _) => Ok(Via::Next),
        (.., Some(PreviousSecret { until, .. })) if now < until => Ok(Via::Previous),
        (.., Some(_)) => Err(Ended::Retired),
        _ => Err(Ended::WrongSecret),
    }
}
