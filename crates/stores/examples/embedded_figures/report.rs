//! Keeps figures by their keys, measures in turns, and prints at once or as one document.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long each side measures before it is the other's turn.
const TURN: Duration = Duration::from_millis(400);
/// Turns of each side; odd, so that there is a middle one.
const TURNS: usize = 7;

/// The time that rates are for.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// Of the wall: what waits for the disk.
    Wall,
    /// Of this thread on a processor: what waits for nothing, on a machine that others use too.
    Cpu,
}

impl Clock {
    fn now(self) -> Duration {
        let id = match self {
            Self::Wall => ClockId::Monotonic,
            Self::Cpu => ClockId::ThreadCPUTime,
        };
        clock_gettime(id).try_into().unwrap()
    }
}

/// See the module.
pub(crate) struct Report {
    json: bool,
    figures: serde_json::Map<String, serde_json::Value>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            figures: serde_json::Map::new(),
        }
    }

    pub(crate) fn add(&mut self, key: &str, value: f64) {
        let value = (value * 1000.0).round() / 1000.0;
        if !self.json {
            println!("{key:<28} {value:>14}");
        }
        self.figures.insert(key.into(), value.into());
    }

    /// A rate of `work`, which does something for a turn and answers how often.
    pub(crate) fn rate(&mut self, key: &str, mut work: impl FnMut(Instant) -> usize) {
        let rates = (0..3).map(|_| turn(Clock::Wall, &mut work)).collect();
        self.add(key, middle(rates));
    }

    /// Rates of the engine and of the store in turns, and their ratio: what else the machine does meets both alike.
    pub(crate) fn compare(
        &mut self,
        clock: Clock,
        (engine, store, ratio): (&str, &str, &str),
        mut of_engine: impl FnMut(Instant) -> usize,
        mut of_store: impl FnMut(Instant) -> usize,
    ) {
        let turns: Vec<_> = (0..TURNS)
            .map(|_| (turn(clock, &mut of_engine), turn(clock, &mut of_store)))
            .collect();
        self.add(engine, middle(turns.iter().map(|turn| turn.0).collect()));
        self.add(store, middle(turns.iter().map(|turn| turn.1).collect()));
        let ratios = turns.iter().map(|(engine, store)| store / engine);
        self.add(ratio, middle(ratios.collect()));
    }

    pub(crate) fn end(self) {
        if self.json {
            println!("{}", serde_json::json!({ "figures": self.figures }));
        }
    }
}

fn turn(clock: Clock, work: &mut impl FnMut(Instant) -> usize) -> f64 {
    let start = clock.now();
    let count = work(Instant::now() + TURN);
    count as f64 / (clock.now() - start).as_secs_f64()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
