//! Heap allocations of a request, over several layers.
//!
//! - `allocations requests`: JSON, allocations and bytes asked for a request.
//! - `allocations sessions LAYER NUMBER`: JSON, bytes that each of so many sessions keeps.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use layers::{App, Case, Layer};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

/// Enough that a table that grows once does not show.
const REQUESTS: u64 = 10_000;

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["requests"] => println!("{}", requests(&runtime)),
        ["sessions", layer, number] => {
            let layer = Layer::named(layer).expect("a layer");
            let number = number.parse().expect("a number");
            println!("{}", sessions(&runtime, layer, number));
        }
        _ => panic!("usage: allocations requests | sessions LAYER NUMBER"),
    }
}

fn requests(runtime: &Runtime) -> serde_json::Value {
    let cases: Vec<_> = Case::ALL
        .into_iter()
        .map(|case| {
            let layers: serde_json::Map<_, _> = Layer::ALL
                .into_iter()
                .map(|layer| (layer.name().to_owned(), count(runtime, layer, case)))
                .collect();
            json!({ "case": case.name(), "layers": layers })
        })
        .collect();
    json!({ "cases": cases })
}

fn count(runtime: &Runtime, layer: Layer, case: Case) -> serde_json::Value {
    let app = runtime.block_on(App::under(layer));
    let calls = |times| {
        runtime.block_on(tokio::task::unconstrained(async {
            for _ in 0..times {
                app.call(case).await;
            }
        }));
    };
    calls(100);
    let info = allocation_counter::measure(|| calls(REQUESTS));
    json!({
        "allocations": info.count_total as f64 / REQUESTS as f64,
        "bytes": info.bytes_total as f64 / REQUESTS as f64,
    })
}

fn sessions(runtime: &Runtime, layer: Layer, number: u64) -> serde_json::Value {
    let app = runtime.block_on(App::under(layer));
    let before = resident();
    let info = allocation_counter::measure(|| {
        runtime.block_on(tokio::task::unconstrained(async {
            for _ in 0..number {
                app.begin().await;
            }
        }));
    });
    json!({
        "sessions": number,
        "payload": layers::PAYLOAD_BYTES,
        "live": info.bytes_current as f64 / number as f64,
        "resident": (resident() - before) / number as f64,
    })
}

/// Bytes of RAM that the process holds (Linux).
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0.0) * 4096.0
}
