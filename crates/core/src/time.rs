//! Points in time: milliseconds since the Unix epoch, with arithmetic that cannot overflow.

use std::time::Duration;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Rules never read a clock; whoever calls them passes `now`. Arithmetic saturates: a deadline that would lie
/// beyond the representable range is "never", which is further away than any hard cap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Later than every other timestamp.
    pub const NEVER: Self = Self(i64::MAX);

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This point moved later by `by`, or [`Timestamp::NEVER`].
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// This point moved earlier by `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// The time from `earlier` to this point; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(
            Timestamp::NEVER.plus(Duration::from_secs(1)),
            Timestamp::NEVER
        );
        assert_eq!(Timestamp::EPOCH.plus(Duration::MAX), Timestamp::NEVER);
        assert_eq!(
            Timestamp::EPOCH.since(Timestamp::from_secs(5)),
            Duration::ZERO
        );
        assert_eq!(
            Timestamp::from_secs(7).since(Timestamp::from_secs(5)),
            Duration::from_secs(2)
        );
    }
}
