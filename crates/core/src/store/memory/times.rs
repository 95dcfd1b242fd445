//! The times of a packed record, at fixed places where they are changed in place.
//!
//! Near ones, which is all that an honest clock makes: 0 created at · 6 last seen · 12 idle deadline, 48 bits of
//! milliseconds each (to about the year 10889), then absolute deadline, hard cap and idle timeout as spans. Where one
//! does not fit in that they are *wide*: six times 64 bits.

use std::time::Duration;

use super::bytes::{Reader, Writer};
use crate::record::{Activity, DecodeError, Record};
use crate::time::Timestamp;

/// Bytes that the times take at most.
pub(super) const MAX: usize = 48;
/// The last near time.
const NEAR: i64 = (1 << 48) - 1;
/// The longest span.
const SPAN: u64 = 1 << 60;

const fn width(wide: bool) -> usize {
    if wide { 8 } else { 6 }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) created_at: Timestamp,
    pub(super) activity: Activity,
    pub(super) absolute_deadline: Timestamp,
    pub(super) hard_cap: Timestamp,
    pub(super) idle_timeout: Duration,
}

impl Times {
    pub(super) const fn of(record: &Record) -> Self {
        let security = &record.security;
        Self {
            created_at: security.created_at,
            activity: record.activity,
            absolute_deadline: security.absolute_deadline,
            hard_cap: security.hard_cap,
            idle_timeout: security.idle_timeout,
        }
    }

    /// Those of something that is over at `until`, and has no other time.
    pub(super) const fn all_at(until: Timestamp) -> Self {
        Self {
            created_at: until,
            activity: Activity {
                last_seen: until,
                idle_deadline: until,
            },
            absolute_deadline: until,
            hard_cap: until,
            idle_timeout: Duration::ZERO,
        }
    }

    fn at_fixed_places(&self) -> [Timestamp; 3] {
        let Activity {
            last_seen,
            idle_deadline,
        } = self.activity;
        [self.created_at, last_seen, idle_deadline]
    }

    fn span(&self, to: Timestamp) -> i64 {
        to.as_millis().wrapping_sub(self.created_at.as_millis())
    }

    pub(super) fn are_near(&self) -> bool {
        let fixed = self.at_fixed_places().into_iter();
        let spans = [self.absolute_deadline, self.hard_cap];
        fixed.map(Timestamp::as_millis).all(|at| (0..=NEAR).contains(&at))
            // Created near, so the difference did not wrap.
            && spans.iter().all(|to| self.span(*to).unsigned_abs() < SPAN)
            && self.idle_timeout.as_millis() < u128::from(SPAN)
    }

    pub(super) fn write(&self, wide: bool, out: &mut Writer) {
        for time in self.at_fixed_places() {
            out.bytes(&time.as_millis().to_le_bytes()[..width(wide)]);
        }
        let timeout = u64::try_from(self.idle_timeout.as_millis()).unwrap_or(u64::MAX);
        if wide {
            out.bytes(&self.absolute_deadline.as_millis().to_le_bytes());
            out.bytes(&self.hard_cap.as_millis().to_le_bytes());
            out.bytes(&timeout.to_le_bytes());
        } else {
            out.span(self.span(self.absolute_deadline));
            out.span(self.span(self.hard_cap));
            out.span(timeout.cast_signed());
        }
    }

    pub(super) fn read(wide: bool, from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let fixed = from.take(3 * width(wide))?;
        let [created_at, last_seen, idle_deadline] = [0, 1, 2].map(|place| at(fixed, place, wide));
        let ends = |from: &mut Reader<'_>| {
            if wide {
                return from.array().map(i64::from_le_bytes);
            }
            Ok(created_at.as_millis().wrapping_add(from.span()?))
        };
        let absolute_deadline = Timestamp::from_millis(ends(from)?);
        let hard_cap = Timestamp::from_millis(ends(from)?);
        let timeout = if wide {
            u64::from_le_bytes(from.array()?)
        } else {
            from.span()?.unsigned_abs()
        };
        Ok(Self {
            created_at,
            activity: Activity {
                last_seen,
                idle_deadline,
            },
            absolute_deadline,
            hard_cap,
            idle_timeout: Duration::from_millis(timeout),
        })
    }

    pub(super) fn deadline(&self) -> Timestamp {
        let expires = self.absolute_deadline.min(self.hard_cap);
        self.activity.idle_deadline.min(expires)
    }
}

fn at(fixed: &[u8], place: usize, wide: bool) -> Timestamp {
    let width = width(wide);
    let mut bytes = [0; 8];
    if let Some(found) = fixed.get(place * width..(place + 1) * width) {
        bytes[..width].copy_from_slice(found);
    }
    Timestamp::from_millis(i64::from_le_bytes(bytes))
}

/// The first moment at which it is over; what cannot be read is over.
pub(super) fn deadline(bytes: &[u8], wide: bool) -> Timestamp {
    let times = Times::read(wide, &mut Reader(bytes));
    times.map_or(Timestamp::EPOCH, |times| times.deadline())
}

/// Notes a use where it stands; nothing moves back. In near times a later one than they hold is noted as the last.
pub(super) fn touch(bytes: &mut [u8], wide: bool, activity: Activity) {
    let width = width(wide);
    let most = if wide { i64::MAX } else { NEAR };
    let held = Activity {
        last_seen: at(bytes, 1, wide),
        idle_deadline: at(bytes, 2, wide),
    };
    let later = held.later(activity);
    for (place, time) in [(1, later.last_seen), (2, later.idle_deadline)] {
        if let Some(place) = bytes.get_mut(place * width..(place + 1) * width) {
            place.copy_from_slice(&time.as_millis().min(most).to_le_bytes()[..width]);
        }
    }
}
