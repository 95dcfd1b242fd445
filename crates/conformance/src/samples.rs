//! Records and changes to test with.

use std::time::Duration;

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::Epoch;
use cloakroom_core::{App, Change, Edits, JsonText, Policy, Record, SessionId, Subject, Timestamp};

/// Idle timeout of sample sessions.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// Absolute timeout of sample sessions.
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
/// Hard cap of sample sessions.
pub const HARD_CAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A session to begin.
#[derive(Debug, Clone)]
pub struct Sample {
    what: Begin,
    now: Timestamp,
}

impl Sample {
    /// An anonymous session that begins at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            what: Begin::default(),
            now,
        }
    }

    /// Belonging to `subject`, whose proof began at `admitted`.
    #[must_use]
    pub fn of(mut self, subject: &str, admitted: Epoch) -> Self {
        self.what.proof = Some(Proof::of(self::subject(subject)));
        self.what.admitted = admitted;
        self
    }

    /// In the application `app`.
    #[must_use]
    pub fn app(mut self, app: &str) -> Self {
        self.what.app = Some(self::app(app));
        self
    }

    /// With other timeouts.
    #[must_use]
    pub fn timeouts(mut self, idle: Duration, absolute: Duration) -> Self {
        self.what.idle_timeout = Some(idle);
        self.what.absolute_timeout = Some(absolute);
        self
    }

    /// With this data from the start.
    #[must_use]
    pub fn data(mut self, edits: Edits) -> Self {
        self.what.edits = edits;
        self
    }

    /// The record, under a random id.
    pub fn record(&self) -> Record {
        let policy = Policy {
            idle_timeout: IDLE,
            absolute_timeout: ABSOLUTE,
            hard_cap: HARD_CAP,
            ..Policy::default()
        };
        begin(&self.what, &policy, self.now, &rand::random()).0
    }
}

/// A subject of that name.
///
/// # Panics
/// Where the name is none.
pub fn subject(name: &str) -> Subject {
    #[expect(clippy::expect_used, reason = "the names in the suite are fixed")]
    Subject::new(name).expect("a valid subject")
}

/// An application of that name.
///
/// # Panics
/// Where the name is none.
pub fn app(name: &str) -> App {
    #[expect(clippy::expect_used, reason = "the names in the suite are fixed")]
    App::new(name).expect("a valid application")
}

/// An id that was never used.
pub fn id() -> SessionId {
    SessionId::from_bytes(rand::random())
}

/// Edits that set each name to a number.
pub fn edits<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> Edits {
    let mut edits = Edits::new();
    for (name, value) in pairs {
        edits.set(name, number(value));
    }
    edits
}

/// A change that sets one name to a number.
pub fn set(name: &str, value: u64) -> Change {
    Change::of_data(edits([(name, value)]))
}

/// A number as JSON.
pub fn number(value: u64) -> JsonText {
    #[expect(clippy::expect_used, reason = "a number always has a JSON form")]
    JsonText::of(&value).expect("a number has a JSON form")
}
