//! What stores are asked with and what they answer.

use std::sync::Arc;

use crate::record::{Epoch, Record};
use crate::subject::{App, Subject};
use crate::time::Timestamp;
use crate::token::SessionId;

/// What a store declares about itself; promises differ, and the suite has a tier for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// A short name for logs and the start message, such as `memory`.
    pub name: &'static str,
    /// How parallel changes meet.
    pub consistency: Consistency,
    /// Whether what was acknowledged survives a crash.
    pub durable: bool,
    /// Whether several processes share it.
    pub shared: bool,
    /// Whose clock judges deadlines.
    pub clock: Clock,
    /// Whether every operation is done when it is first polled, as in a store that works in memory under short locks
    /// (S-19). Its futures are then never boxed.
    pub ready: bool,
}

/// How parallel changes to one session meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// One order of all operations on a session: `update` with a closure never loses an increment.
    Linearizable,
    /// Versions may fork and are merged by rule.
    Mergeable,
    /// Each client carries a state of its own; the last one sent wins.
    Snapshot,
}

/// Whose clock judges deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The caller's `now`.
    Caller,
    /// The store's own; answers say what it showed.
    Store,
}

/// A record and what is needed to judge it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The record.
    pub record: Arc<Record>,
    /// The latest not-before that covers it: of everything, of its subject, or of its subject in its application.
    pub not_before: Epoch,
    /// The store's own time, for stores that judge by it.
    pub store_now: Option<Timestamp>,
}

/// What an update expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Exactly this version: for changes computed from what was read.
    Version(u64),
    /// This version of the security block, whatever the data: for edits by name, which apply to newer data just as
    /// well, so that parallel requests need no second try.
    Security(u64),
}

impl Expect {
    /// Whether it holds for `record`.
    pub fn holds(self, record: &Record) -> bool {
        match self {
            Self::Version(version) => record.version == version,
            Self::Security(version) => record.security.version == version,
        }
    }
}

/// The answer to `create`.
#[derive(Debug, Clone)]
pub enum Created {
    /// Kept; the subject's oldest sessions that had to end for it.
    Done(Vec<SessionId>),
    /// The id is taken.
    Exists,
    /// Not allowed.
    Refused(Refusal),
}

/// Why a session may not begin or get its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its subject was revoked after its proof began.
    Revoked,
    /// Its subject has all the sessions he may have.
    TooManySessions,
}

/// The answer to `update`.
#[derive(Debug, Clone)]
pub enum Updated {
    /// Written.
    Done {
        /// The record as written.
        record: Arc<Record>,
        /// The subject's oldest sessions that had to end for it.
        ended: Vec<SessionId>,
    },
    /// The expectation does not hold; here is the newer record.
    Conflict(Loaded),
    /// The session has ended.
    Gone,
    /// Not allowed.
    Refused(Refusal),
}

/// The answer to `touch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// Noted, or a later touch was there already.
    Done,
    /// The session has ended.
    Gone,
}

/// The answer to `delete`.
#[derive(Debug, Clone)]
pub enum Deleted {
    /// It was there and has ended; its last record.
    Done(Arc<Record>),
    /// It was not there.
    Absent,
}

/// The answer to `sweep`.
#[derive(Debug, Clone, Default)]
pub struct Swept {
    /// What was cleared.
    pub removed: Vec<SweptSession>,
    /// Whether more may be left to clear now.
    pub more: bool,
}

/// One session that a sweep cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptSession {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub subject: Option<Subject>,
    /// The deadline it was past.
    pub deadline: Timestamp,
}

/// Which sessions a listing or a revocation means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every session there is.
    Everything,
    /// All sessions of one application.
    App(App),
    /// All sessions of a subject, in one application or, without one, in all.
    Subject {
        /// The application.
        app: Option<App>,
        /// The subject.
        subject: Subject,
    },
}

impl Scope {
    /// Whether `record` lies in it.
    pub fn covers(&self, record: &Record) -> bool {
        let security = &record.security;
        match self {
            Self::Everything => true,
            Self::App(app) => security.app.as_ref() == Some(app),
            Self::Subject { app: None, subject } => security.subject.as_ref() == Some(subject),
            Self::Subject { app, subject } => {
                security.app == *app && security.subject.as_ref() == Some(subject)
            }
        }
    }
}

/// Where a listing goes on: the last session id of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub SessionId);

/// One page of sessions, ascending by session id.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The sessions.
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// The answer to `revoke_all`.
#[derive(Debug, Clone, Default)]
pub struct Revoked {
    /// How many live sessions ended.
    pub count: u64,
    /// The epoch from which on logins are admitted again.
    pub epoch: Epoch,
    /// The sessions that ended, where the store knows them.
    pub ids: Vec<SessionId>,
}
