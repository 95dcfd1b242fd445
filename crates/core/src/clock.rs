//! Which time it is, when the machine's clock cannot be trusted (DESIGN 1.3).
//!
//! Deadlines are judged on a timeline that only moves forward: it starts at the later of the wall clock and the persisted
//! high-water mark, and moves with the monotonic clock in between. A wall clock that jumps is an event, never a mass
//! logout, and never brings back what had expired.

use std::time::Duration;

use crate::time::Timestamp;

/// A wall clock further than this from where the monotonic clock says it should be has jumped; less is drift, which is
/// followed forward.
pub const JUMP: Duration = Duration::from_secs(60);

/// What is persisted so that the timeline goes on after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The latest judged time that was written; `None` before the first.
    pub high_water: Option<Timestamp>,
    /// How far the wall clock is ahead of the timeline, in milliseconds; other than zero only after a jump that was not
    /// followed.
    pub skew: i64,
}

/// Something worth telling the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockEvent {
    /// At start the wall clock is behind the high-water mark, by this much: a router that boots in 1970.
    Behind(Duration),
    /// The clock that was behind at start has been set right; the timeline follows it.
    Recovered(Duration),
    /// The wall clock jumped ahead, by this much; the timeline does not follow.
    JumpedAhead(Duration),
    /// The wall clock jumped back, by this much; the timeline does not follow.
    JumpedBack(Duration),
}

/// The judged time and what was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// To judge deadlines by.
    pub now: Timestamp,
    /// Something happened to the wall clock since the last look.
    pub event: Option<ClockEvent>,
}

/// The timeline: pure, told both clocks at every look.
#[derive(Debug, Clone)]
pub struct Timeline {
    now: Timestamp,
    mono: Duration,
    skew: i64,
    behind: bool,
}

impl Timeline {
    /// Starts from the wall clock, a monotonic reading and what was persisted.
    pub fn start(wall: Timestamp, mono: Duration, mark: Mark) -> (Self, Option<ClockEvent>) {
        let unskewed = Timestamp::from_millis(wall.as_millis().saturating_sub(mark.skew));
        let high_water = mark.high_water.unwrap_or(unskewed);
        let behind = high_water.since(unskewed);
        let timeline = Self {
            now: unskewed.max(high_water),
            mono,
            skew: mark.skew,
            behind: behind > JUMP,
        };
        let event = timeline.behind.then_some(ClockEvent::Behind(behind));
        (timeline, event)
    }

    /// The judged time now. `mono` must count time that the machine slept (`CLOCK_BOOTTIME`) and never go back.
    pub fn judge(&mut self, wall: Timestamp, mono: Duration) -> Judged {
        let expected = self.now.plus(mono.saturating_sub(self.mono));
        self.mono = self.mono.max(mono);
        let unskewed = Timestamp::from_millis(wall.as_millis().saturating_sub(self.skew));
        let ahead = unskewed.since(expected);
        let back = expected.since(unskewed);
        let event = if self.behind {
            self.now = expected.max(unskewed);
            let recovered = unskewed >= expected || back <= JUMP;
            self.behind = !recovered;
            recovered.then_some(ClockEvent::Recovered(ahead))
        } else if ahead > JUMP {
            self.now = expected;
            self.skew = wall.as_millis().saturating_sub(expected.as_millis());
            Some(ClockEvent::JumpedAhead(ahead))
        } else if back > JUMP {
            self.now = expected;
            self.skew = wall.as_millis().saturating_sub(expected.as_millis());
            Some(ClockEvent::JumpedBack(back))
        } else {
            self.now = expected.max(unskewed);
            None
        };
        Judged {
            now: self.now,
            event,
        }
    }

    /// What to persist now and then, and at shutdown.
    pub fn mark(&self) -> Mark {
        Mark {
            high_water: Some(self.now),
            skew: self.skew,
        }
    }

    /// A judged time as people's clocks show it: for answers and logs, never for a verdict.
    pub fn shown(&self, judged: Timestamp) -> Timestamp {
        Timestamp::from_millis(judged.as_millis().saturating_add(self.skew))
    }
}
