//! Says `unavailable` at once while the server is gone, and lets one try at a time find out whether it is back.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Operations in a row that may be too slow before the server is taken for gone.
const SLOW: u32 = 3;
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    slow: u32,
    /// Failed tries since it was last in reach.
    failures: u32,
    /// Nobody tries before then.
    until: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

impl Breaker {
    /// Whether to try now. While the server is gone, whoever is let through keeps others away for `patience`, or until
    /// he is done or gives up.
    pub(super) fn lets_through(&self, patience: Duration) -> Option<Probe<'_>> {
        let mut state = self.0.lock();
        let is_probe = match state.until {
            None => false,
            Some(until) if Instant::now() < until => return None,
            Some(_) => {
                state.until = Some(Instant::now() + patience);
                true
            }
        };
        Some(Probe {
            breaker: self,
            is_probe,
        })
    }

    /// The server answered.
    pub(super) fn answered(&self) {
        let mut state = self.0.lock();
        if state.failures > 0 || state.slow > 0 {
            *state = State::default();
        }
    }

    /// It did not answer in time.
    pub(super) fn was_slow(&self) {
        let slow = {
            let mut state = self.0.lock();
            state.slow += 1;
            state.slow
        };
        if slow >= SLOW {
            self.failed();
        }
    }

    /// It cannot be reached.
    pub(super) fn failed(&self) {
        let mut state = self.0.lock();
        let wait = FIRST
            .saturating_mul(1 << state.failures.min(8))
            .min(LONGEST);
        state.failures += 1;
        // Between half and all of it, so that nodes do not come back in step.
        let chance = RandomState::new().hash_one(0) % 1000;
        let wait = wait / 2 + wait / 2 * u32::try_from(chance).unwrap_or(0) / 1000;
        state.until = Some(Instant::now() + wait);
    }
}

/// Somebody who was let through.
#[derive(Debug)]
pub(super) struct Probe<'b> {
    breaker: &'b Breaker,
    is_probe: bool,
}

impl Probe<'_> {
    /// He knows now, and told.
    pub(super) fn done(mut self) {
        self.is_probe = false;
    }
}

impl Drop for Probe<'_> {
    /// He was cancelled; somebody else may find out.
    fn drop(&mut self) {
        let mut state = self.breaker.0.lock();
        if self.is_probe && state.until.is_some() {
            state.until = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_try_at_a_time_while_the_server_is_gone() {
        let breaker = Breaker::default();
        let minute = Duration::from_secs(60);
        let passes = || breaker.lets_through(minute).map(Probe::done).is_some();
        assert!(passes() && passes());
        breaker.failed();
        assert!(!passes());
        breaker.0.lock().until = Some(Instant::now());
        let probe = breaker.lets_through(minute);
        assert!(probe.is_some(), "nobody finds out");
        assert!(!passes(), "a second one tries");
        drop(probe);
        assert!(passes(), "one that gave up keeps others away");
        breaker.answered();
        assert!(passes() && passes());
    }

    #[test]
    fn a_slow_answer_is_not_yet_a_loss() {
        let breaker = Breaker::default();
        for _ in 1..SLOW {
            breaker.was_slow();
        }
        assert!(breaker.lets_through(FIRST).is_some());
        breaker.was_slow();
        assert!(breaker.lets_through(FIRST).is_none());
    }
}
