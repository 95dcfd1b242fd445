//! The clock that sessions live by.

use std::sync::Arc;
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
pub struct SystemClock {
    timeline: Mutex<Timeline>,
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
            on_event: Box::new(on_event),
        })
    }

    /// What to persist so that the timeline goes on after a restart.
    pub fn mark(&self) -> Mark {
        self.timeline.lock().mark()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let judged = {
            let mut timeline = self.timeline.lock();
            timeline.judge(wall(), monotonic())
        };
        if let Some(event) = judged.event {
            (self.on_event)(event);
        }
        judged.now
    }

    fn shown(&self, judged: Timestamp) -> Timestamp {
        self.timeline.lock().shown(judged)
    }
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
