//! Processor time of a request in this process, over several layers in turn.
//!
//! - `inprocess time [--rounds N] [--only CASE]`: JSON, nanoseconds a request of each round.
//! - `inprocess once LAYER CASE COUNT`: so many requests inside `measured_requests`, for a profiler.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::time::Duration;

use layers::{App, Case, Layer};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Requests of a round, of one layer: some ten milliseconds.
const BATCH: usize = 8000;
const WARM_UP: usize = 500;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    match words.as_slice() {
        ["time", rest @ ..] => {
            let rounds =
                option(rest, "--rounds").map_or(15, |text| text.parse().expect("a number"));
            let only = option(rest, "--only").map(|name| Case::named(name).expect("a case"));
            let cases: Vec<Case> = Case::ALL
                .into_iter()
                .filter(|case| only.is_none_or(|only| only == *case))
                .collect();
            let measured: Vec<_> = cases
                .into_iter()
                .map(|case| runtime.block_on(time(case, rounds)))
                .collect();
            println!("{}", json!({ "unit": "ns", "cases": measured }));
        }
        ["once", layer, case, count] => {
            let layer = Layer::named(layer).expect("a layer");
            let case = Case::named(case).expect("a case");
            let count = count.parse().expect("a number");
            let app = runtime.block_on(warm(layer, case, WARM_UP));
            measured_requests(&runtime, &app, case, count);
        }
        _ => panic!("usage: inprocess time [--rounds N] [--only CASE] | once LAYER CASE COUNT"),
    }
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

/// What a profiler counts: nothing but requests.
#[inline(never)]
fn measured_requests(runtime: &tokio::runtime::Runtime, app: &App, case: Case, count: usize) {
    runtime.block_on(tokio::task::unconstrained(batch(app, case, count)));
}

async fn batch(app: &App, case: Case, count: usize) {
    for _ in 0..count {
        std::hint::black_box(app.call(case).await);
    }
}

async fn warm(layer: Layer, case: Case, count: usize) -> App {
    let app = App::under(layer).await;
    batch(&app, case, count).await;
    app
}

/// Every layer once in each round, so that what the machine does meanwhile falls on all of them.
async fn time(case: Case, rounds: usize) -> serde_json::Value {
    let mut apps = Vec::new();
    for layer in Layer::ALL {
        apps.push((layer, warm(layer, case, WARM_UP).await, Vec::new()));
    }
    for _ in 0..rounds {
        for (layer, app, figures) in &mut apps {
            if case == Case::New {
                // Else the store of a later round would be a larger one.
                *app = warm(*layer, case, WARM_UP).await;
            }
            let start = cpu_time();
            // Without tokio's budget: a server gives each request a fresh one.
            tokio::task::unconstrained(batch(app, case, BATCH)).await;
            let spent = cpu_time() - start;
            figures.push(spent.as_nanos() as f64 / BATCH as f64);
        }
    }
    let layers: serde_json::Map<_, _> = apps
        .into_iter()
        .map(|(layer, _, figures)| (layer.name().to_owned(), json!(figures)))
        .collect();
    json!({ "case": case.name(), "layers": layers })
}

/// Time that this thread was on a processor: what others do meanwhile is not charged.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}
