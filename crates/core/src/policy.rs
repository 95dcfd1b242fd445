//! How long sessions live, how often a touch is written, how secrets are renewed, how many a subject may have.

use std::time::Duration;

use crate::limits::Limits;

/// The rules of one deployment. Every default says why in `docs/defaults.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// A session ends after this much silence. Default 30 minutes.
    pub idle_timeout: Duration,
    /// A session ends this long after the last proof of its subject, regardless of use. Default 12 hours.
    pub absolute_timeout: Duration,
    /// No session lives longer than this after its creation, whatever moves its other deadlines. Default 90 days.
    pub hard_cap: Duration,
    /// A touch is written only when the last one is at least this old, or half the session's idle timeout where that is
    /// less. Default: [`Policy::touch_threshold`].
    pub touch_every: Option<Duration>,
    /// Renews the secret of a session this long after its last renewal or login; off by default.
    pub renew_every: Option<Duration>,
    /// How long a secret that was renewed by timer or request works after its successor was first seen. Default 10 s.
    pub renew_grace: Duration,
    /// How many sessions a subject may have, and what happens at the limit. Default 32, the oldest ends.
    pub per_subject: SubjectLimit,
    /// What one record may hold.
    pub limits: Limits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30 * 60),
            absolute_timeout: Duration::from_secs(12 * 60 * 60),
            hard_cap: Duration::from_secs(90 * 24 * 60 * 60),
            touch_every: None,
            renew_every: None,
            renew_grace: Duration::from_secs(10),
            per_subject: SubjectLimit::default(),
            limits: Limits::default(),
        }
    }
}

impl Policy {
    /// How old the last touch must be, where the policy does not say: the smaller of 60 s and 5% of the idle timeout,
    /// but not less than 1 s. A session may end early by at most that, never late.
    pub fn touch_threshold(idle_timeout: Duration) -> Duration {
        (idle_timeout / 20).clamp(Duration::from_secs(1), Duration::from_secs(60))
    }
}

/// How many sessions a subject may have at once in one application (OW-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectLimit {
    /// The number; `None` for no limit.
    pub max: Option<u32>,
    /// What happens to one more.
    pub on_full: OnFull,
}

/// What happens when a subject that has all his sessions begins another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// The session with the earliest creation ends.
    EndOldest,
    /// The new one is refused.
    Deny,
}

impl Default for SubjectLimit {
    fn default() -> Self {
        Self {
            max: Some(32),
            on_full: OnFull::EndOldest,
        }
    }
}

impl SubjectLimit {
    /// No limit.
    pub const NONE: Self = Self {
        max: None,
        on_full: OnFull::EndOldest,
    };
}
