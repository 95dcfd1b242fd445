//! Clocks that cannot be trusted (DESIGN 1.3): nothing expired comes back, and no jump logs everybody out.

use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_core::clock::{ClockEvent, JUMP, Mark, Timeline};
use proptest::collection::vec;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);
const YEARS: Duration = Duration::from_secs(57 * 365 * 24 * 3600);

fn real() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fresh(wall: Timestamp) -> Timeline {
    let (timeline, event) = Timeline::start(wall, secs(0), Mark::default());
    assert_eq!(event, None);
    timeline
}

#[test]
fn drift_is_followed_forward_and_never_back() {
    let mut timeline = fresh(real());
    let judged = timeline.judge(real().plus(secs(12)), secs(10));
    assert_eq!((judged.now, judged.event), (real().plus(secs(12)), None));
    let judged = timeline.judge(real().plus(secs(5)), secs(11));
    assert_eq!((judged.now, judged.event), (real().plus(secs(13)), None));
}

#[test]
fn a_clock_that_jumps_back_is_an_event_once_and_time_goes_on() {
    let mut timeline = fresh(real());
    let judged = timeline.judge(real().minus(HOUR), secs(1));
    assert_eq!(judged.now, real().plus(secs(1)));
    assert_eq!(judged.event, Some(ClockEvent::JumpedBack(HOUR + secs(1))));
    let wall = real().minus(HOUR).plus(secs(9));
    let judged = timeline.judge(wall, secs(10));
    assert_eq!((judged.now, judged.event), (real().plus(secs(10)), None));
    assert_eq!(timeline.shown(judged.now), wall);
}

#[test]
fn a_clock_that_jumps_ahead_ends_nobody() {
    let mut timeline = fresh(real());
    let wall = real().plus(HOUR * 24);
    let judged = timeline.judge(wall, secs(1));
    assert_eq!(judged.now, real().plus(secs(1)));
    let ahead = HOUR * 24 - secs(1);
    assert_eq!(judged.event, Some(ClockEvent::JumpedAhead(ahead)));
    assert_eq!(timeline.shown(judged.now), wall);
}

#[test]
fn a_jump_and_back_again_leaves_no_skew() {
    let mut timeline = fresh(real());
    timeline.judge(real().plus(HOUR * 24), secs(1));
    let judged = timeline.judge(real().plus(secs(2)), secs(2));
    assert_eq!(judged.now, real().plus(secs(2)));
    assert!(matches!(judged.event, Some(ClockEvent::JumpedBack(_))));
    assert_eq!(timeline.mark().skew, 0);
}

#[test]
fn a_router_that_boots_in_1970_goes_on_from_its_high_water_mark() {
    let mark = Mark {
        high_water: Some(real()),
        skew: 0,
    };
    let boot = Timestamp::from_secs(20);
    let (mut timeline, event) = Timeline::start(boot, secs(20), mark);
    assert_eq!(event, Some(ClockEvent::Behind(real().since(boot))));
    let judged = timeline.judge(Timestamp::from_secs(50), secs(50));
    assert_eq!((judged.now, judged.event), (real().plus(secs(30)), None));
    // NTP sets it right: two hours had passed while it was off.
    let set = real().plus(HOUR * 2);
    let judged = timeline.judge(set, secs(60));
    assert_eq!(judged.now, set);
    assert!(matches!(judged.event, Some(ClockEvent::Recovered(_))));
    let judged = timeline.judge(set.plus(secs(1)), secs(61));
    assert_eq!((judged.now, judged.event), (set.plus(secs(1)), None));
    assert_eq!(timeline.shown(judged.now), judged.now);
}

#[test]
fn a_router_that_boots_in_1970_without_a_mark_logs_nobody_out_when_ntp_comes() {
    let mut timeline = fresh(Timestamp::from_secs(20));
    let deadline = Timestamp::from_secs(20).plus(HOUR);
    let judged = timeline.judge(Timestamp::from_secs(30).plus(YEARS), secs(10));
    assert_eq!(judged.now, Timestamp::from_secs(30));
    assert!(judged.now < deadline);
    assert_eq!(judged.event, Some(ClockEvent::JumpedAhead(YEARS)));
    assert_eq!(
        timeline.shown(judged.now),
        Timestamp::from_secs(30).plus(YEARS)
    );
    // The next boot in 1970 goes on where this run was, and the deadline still holds.
    let (mut timeline, event) = Timeline::start(Timestamp::from_secs(5), secs(0), timeline.mark());
    assert!(matches!(event, Some(ClockEvent::Behind(_))));
    let set = Timestamp::from_secs(40).plus(YEARS);
    let judged = timeline.judge(set, secs(5));
    assert_eq!(judged.now, Timestamp::from_secs(40));
    assert_eq!(timeline.shown(judged.now), set);
    let judged = timeline.judge(set.plus(HOUR), secs(5) + HOUR);
    assert!(judged.now >= deadline);
}

#[test]
fn a_machine_that_slept_has_aged() {
    let mut timeline = fresh(real());
    let judged = timeline.judge(real().plus(HOUR * 8), HOUR * 8);
    assert_eq!((judged.now, judged.event), (real().plus(HOUR * 8), None));
}

#[test]
fn a_restart_counts_the_time_that_it_took_and_never_goes_back() {
    let mut timeline = fresh(real());
    timeline.judge(real().plus(HOUR), HOUR);
    let mark = timeline.mark();
    let (later, event) = Timeline::start(real().plus(HOUR * 3), secs(0), mark);
    assert_eq!(event, None);
    assert_eq!(later.mark().high_water, Some(real().plus(HOUR * 3)));
    let (earlier, event) = Timeline::start(real().plus(HOUR).minus(secs(5)), secs(0), mark);
    assert_eq!(event, None, "a few seconds are drift");
    assert_eq!(earlier.mark().high_water, Some(real().plus(HOUR)));
}

#[test]
fn a_restart_after_a_jump_goes_on_on_the_same_timeline() {
    let mut timeline = fresh(real());
    let wall = real().plus(HOUR * 24);
    timeline.judge(wall, secs(0));
    let (mut timeline, event) = Timeline::start(wall.plus(HOUR), secs(0), timeline.mark());
    assert_eq!(event, None);
    let judged = timeline.judge(wall.plus(HOUR), secs(0));
    assert_eq!((judged.now, judged.event), (real().plus(HOUR), None));
}

proptest! {
    #![proptest_config(crate::arbitrary::config())]

    /// Whatever the wall clock does: judged time never goes back, goes on at least as fast as the monotonic clock, and
    /// is faster by no more than drift unless the clock was behind at start; and a restart does not go back either.
    #[test]
    fn judged_time_only_moves_forward(
        start in crate::arbitrary::time(),
        looks in vec((crate::arbitrary::time(), 0..7_200_000_u64, any::<bool>()), 1..40),
    ) {
        let mut mono = Duration::ZERO;
        let (mut timeline, _) = Timeline::start(start, mono, Mark::default());
        let mut last = timeline.mark().high_water.unwrap();
        let mut was_behind = false;
        for (wall, passed, restarts) in looks {
            if restarts {
                mono = Duration::ZERO;
                let (next, event) = Timeline::start(wall, mono, timeline.mark());
                timeline = next;
                was_behind = matches!(event, Some(ClockEvent::Behind(_)));
                let high_water = timeline.mark().high_water.unwrap();
                prop_assert!(high_water >= last, "a restart went back");
                last = high_water;
            }
            let passed = Duration::from_millis(passed);
            mono += passed;
            let judged = timeline.judge(wall, mono);
            prop_assert!(judged.now >= last.plus(passed), "time stood still");
            if !was_behind {
                let most = last.plus(passed).plus(JUMP);
                prop_assert!(judged.now <= most, "time ran ahead of the monotonic clock");
            }
            if matches!(judged.event, Some(ClockEvent::Recovered(_))) {
                was_behind = false;
            }
            last = judged.now;
        }
    }

    /// A clock that stays wrong after a jump is told once, not at every look.
    #[test]
    fn a_jump_is_told_once(by in -1_000_000_000..1_000_000_000_i64) {
        let mut timeline = fresh(real());
        let wall = |passed: u64| Timestamp::from_millis(real().plus(secs(passed)).as_millis() + by);
        timeline.judge(wall(1), secs(1));
        for passed in 2..20 {
            prop_assert_eq!(timeline.judge(wall(passed), secs(passed)).event, None);
        }
    }
}
