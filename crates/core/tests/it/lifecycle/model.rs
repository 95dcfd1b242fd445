//! Who may open a session when, written as a table of its own: subject, live secrets, deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_core::lifecycle::{Ended, Via};

/// A token by the order in which it was first given out.
pub(super) type Held = usize;

/// The timeouts that the model knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) idle: Duration,
    /// A touch is written only after this.
    pub(super) threshold: Duration,
    pub(super) absolute: Duration,
    pub(super) grace: Duration,
    pub(super) renew_every: Option<Duration>,
}

/// One session.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) times: Times,
    pub(super) subject: Option<usize>,
    pub(super) data: BTreeMap<String, String>,
    pub(super) current: Held,
    pub(super) next: Option<Held>,
    pub(super) previous: Option<(Held, Timestamp)>,
    /// Last use, whether it was written or not.
    pub(super) used_at: Timestamp,
    pub(super) absolute: Timestamp,
    pub(super) cap: Timestamp,
    /// From when on the timer counts.
    pub(super) renewed_at: Timestamp,
}

/// What the rules leave open: whether an unwritten touch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Lives(Via),
    Ended(Ended),
    /// It may have ended by silence, early by less than the threshold.
    LivesOrIdle(Via),
}

impl Model {
    pub(super) fn verdict(&self, held: Held, now: Timestamp) -> Verdict {
        let via = if held == self.current {
            Via::Current
        } else if self.next == Some(held) {
            Via::Next
        } else {
            match self.previous {
                Some((previous, until)) if previous == held && now < until => Via::Previous,
                Some((previous, _)) if previous == held => return Verdict::Ended(Ended::Retired),
                _ => return Verdict::Ended(Ended::WrongSecret),
            }
        };
        if now >= self.cap {
            Verdict::Ended(Ended::HardCap)
        } else if now >= self.absolute {
            Verdict::Ended(Ended::Absolute)
        } else if now >= self.used_at.plus(self.times.idle) {
            Verdict::Ended(Ended::Idle)
        } else if now
            >= self
                .used_at
                .plus(self.times.idle)
                .minus(self.times.threshold)
        {
            Verdict::LivesOrIdle(via)
        } else {
            Verdict::Lives(via)
        }
    }

    /// A request came: its use counts.
    pub(super) fn used(&mut self, now: Timestamp) {
        self.used_at = self.used_at.max(now);
    }

    /// The first sight of the next secret makes it current; not where the request replaces all secrets anyway.
    pub(super) fn seen(&mut self, via: Via, now: Timestamp) {
        if let (Via::Next, Some(next)) = (via, self.next) {
            let until = now.plus(self.times.grace);
            self.previous = Some((self.current, until));
            self.current = next;
            self.next = None;
            self.renewed_at = until;
        }
    }

    /// The subject was proven: `given` is the only secret that opens from now on.
    pub(super) fn authenticated(&mut self, subject: usize, given: Held, now: Timestamp) {
        if self.subject.is_some_and(|before| before != subject) {
            self.data.clear();
        }
        self.subject = Some(subject);
        self.replaced(given, now);
        self.used_at = now;
        self.absolute = now.plus(self.times.absolute).min(self.cap);
    }

    /// `given` is the only secret that opens from now on.
    pub(super) fn replaced(&mut self, given: Held, now: Timestamp) {
        self.previous = Some((self.current, now));
        self.current = given;
        self.next = None;
        self.renewed_at = now;
    }

    /// Which token a renewal by `via` must give: one that is out already, or a new one.
    pub(super) fn renewal_gives(&self, via: Via) -> Option<Held> {
        match via {
            Via::Previous => Some(self.current),
            Via::Current => self.next,
            Via::Next => None,
        }
    }

    /// Whether the timer asks for a renewal.
    pub(super) fn renewal_due(&self, via: Via, now: Timestamp) -> bool {
        let due = |every| self.next.is_some() || now.since(self.renewed_at) >= every;
        via == Via::Current && self.times.renew_every.is_some_and(due)
    }
}
