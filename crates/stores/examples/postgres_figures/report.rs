//! Keeps figures by their keys, measures in turns, and prints at once or as one document.

use std::time::{Duration, Instant};

/// How long each side measures before it is the other's turn.
const TURN: Duration = Duration::from_secs(1);
/// Turns of each side; odd, so that there is a middle one.
const TURNS: usize = 5;

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

    /// A rate of `work`, which does something until a time and answers how often.
    pub(crate) async fn rate(&mut self, key: &str, mut work: impl AsyncFnMut(Instant) -> usize) {
        let mut rates = Vec::new();
        for _ in 0..3 {
            rates.push(turn(&mut work).await);
        }
        self.add(key, middle(rates));
    }

    /// Rates of the client and of the store in turns, and their ratio: what else the machine does meets both alike.
    pub(crate) async fn compare(
        &mut self,
        what: &str,
        mut of_client: impl AsyncFnMut(Instant) -> usize,
        mut of_store: impl AsyncFnMut(Instant) -> usize,
    ) {
        let mut turns = Vec::new();
        // A first one that does not count: connections and plans warm up.
        for counts in std::iter::once(false).chain([true; TURNS]) {
            let both = (turn(&mut of_client).await, turn(&mut of_store).await);
            turns.extend(counts.then_some(both));
        }
        let rates = |of: fn(&(f64, f64)) -> f64| middle(turns.iter().map(of).collect());
        self.add(&format!("client_{what}"), rates(|turn| turn.0));
        self.add(&format!("store_{what}"), rates(|turn| turn.1));
        self.add(&format!("{what}_ratio"), rates(|turn| turn.1 / turn.0));
    }

    pub(crate) fn end(self) {
        if self.json {
            println!("{}", serde_json::json!({ "figures": self.figures }));
        }
    }
}

async fn turn(work: &mut impl AsyncFnMut(Instant) -> usize) -> f64 {
    let start = Instant::now();
    let count = work(start + TURN).await;
    count as f64 / start.elapsed().as_secs_f64()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
