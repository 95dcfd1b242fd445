//! The clock that sessions live by.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom_core::clock::{ClockEvent, Mark, Timeline};
use cloakroom_core::time::Timestamp;
use parking_lot::Mutex;

/// Gives the judged time: it never goes back.
pub trait Clock: Send + Sync + 'static {
    /// What deadlines are compared with.
    fn now(&self) -> Timestamp;

    /// A judged time as people's clocks show it.
    fn shown(&self, judged: Timestamp) -> Timestamp {
        judged
    }
}

/// The machine's clocks, judged by [`Timeline`]: a wall clock that jumps is an event, not a mass logout.
///
/// Its resolution is the system's tick, 1 to 4 ms: within one tick all requests get the time that was judged first.
pub struct SystemClock {
    timeline: Mutex<Timeline>,
    /// The tick in which the timeline was last asked, and what it answered.
    tick: AtomicI64,
    judged: AtomicI64,
    on_event: Box<dyn Fn(ClockEvent) + Send + Sync>,
}

impl SystemClock {
    /// Starts where `mark` left off; `on_event` hears of jumps.
    pub fn start(mark: Mark, on_event: impl Fn(ClockEvent) + Send + Sync + 'static) -> Arc<Self> {
        let (timeline, event) = Timeline::start(wall(), monotonic(), mark);
        if let Some(event) = event {
            on_event(event);
        }
        Arc::new(Self {
            timeline: Mutex::new(timeline),
            tick: AtomicI64::new(NO_TICK),
            judged: AtomicI64::new(i64::MIN),
            on_event: Box::new(on_event),
        })
    }

    /// What to persist so that the timeline goes on after a restart.
    pub fn mark(&self) -> Mark {
        self.timeline.lock().mark()
    }

    fn judge(&self) -> Timestamp {
        let judged = {
            let mut timeline = self.timeline.lock();
            timeline.judge(wall(), monotonic())
        };
        if let Some(event) = judged.event {
            (self.on_event)(event);
        }
        judged.now
    }
}

/// No tick is read there.
const NO_TICK: i64 = i64::MIN;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let tick = tick();
        if tick != NO_TICK && self.tick.load(Ordering::Acquire) == tick {
            return Timestamp::from_millis(self.judged.load(Ordering::Relaxed));
        }
        let now = self.judge();
        // Two that judge at once may store in any order; what was told never goes back.
        self.judged.fetch_max(now.as_millis(), Ordering::Relaxed);
        self.tick.store(tick, Ordering::Release);
        now
    }

    fn shown(&self, judged: Timestamp) -> Timestamp {
        self.timeline.lock().shown(judged)
    }
}

/// The wall clock as of the system's last tick, in nanoseconds: a fifth of what a precise reading costs. Every jump of
/// the clock and every sleep of the machine shows in it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn tick() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    time.tv_sec
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn tick() -> i64 {
    NO_TICK
}

fn wall() -> Timestamp {
    // A clock before 1970 is as wrong as one in 1970.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::EPOCH.plus(since)
}

/// Time since boot, the machine's sleep included where the system can tell: a laptop that slept through an idle timeout
/// must not find its session alive.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn monotonic() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn monotonic() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_tick_and_across_ticks_time_never_goes_back() {
        let clock = SystemClock::start(Mark::default(), |_| {});
        let begin = clock.now();
        let clocks = std::thread::scope(|scope| {
            let look = || {
                let mut last = begin;
                // Some ticks long, whatever their length.
                while last.since(begin) < Duration::from_millis(30) {
                    let now = clock.now();
                    assert!(now >= last);
                    last = now;
                }
                last
            };
            [scope.spawn(look), scope.spawn(look)].map(|thread| thread.join().unwrap())
        });
        assert!(clocks.iter().all(|end| *end > begin));
        assert!(clock.mark().high_water >= clocks.into_iter().max());
    }
}
