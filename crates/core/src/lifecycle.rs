//! The life of a session as pure functions: what is asked, what is stored and what time it is go in; a verdict or
//! the next state comes out.

mod authenticate;
mod begin;
mod close;
mod open;
mod renew;

pub use authenticate::{Proof, Reauthenticated, authenticate, replace_secret};
pub use begin::{Begin, begin};
pub use close::{Basis, Draft, Intent, Outcome, Plan, Randomness, TokenAction, Write, close};
pub use open::{Ended, Live, Opened, Via, live_by_id, open};
pub use renew::{Renewal, confirm, renew, renewal_due};

use crate::policy::Policy;
use crate::record::{Activity, Record};
use crate::time::Timestamp;

/// The touch to write for a use of `record` at `now`, if one is due (DESIGN 1.3: reading costs no write).
pub fn touch_due(record: &Record, policy: &Policy, now: Timestamp) -> Option<Activity> {
    let idle_timeout = record.security.idle_timeout;
    // A session may have a shorter idle timeout than the policy thought of: it must not end while it is used.
    let threshold = policy
        .touch_every
        .map(|every| every.min(idle_timeout / 2))
        .unwrap_or_else(|| Policy::touch_threshold(idle_timeout));
    (now.since(record.activity.last_seen) >= threshold).then(|| Activity {
        last_seen: now,
        idle_deadline: now.plus(idle_timeout),
    })
}
