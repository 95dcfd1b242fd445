//! What the memory store costs: bytes a session, nanoseconds of CPU time an operation on one thread, and a flood.
//!
//! `nice cargo run --release -p cloakroom-core --example memory_figures [-- [--json] [--10m] [--small]]` (Linux)
//!
//! With `--10m` also at 10 million sessions (3.5 GB); with `--small` with a thousandth of everything, to see that it runs.
//! `--json` prints one document; its keys stay:
//!
//! - `named`, `anonymous`: lists, ascending by `sessions`, of objects with `sessions`, `named`, `data_bytes`,
//!   `charged_over_data` and `resident_over_data` (bytes a session beside its data), and `create_ns` (with what begins it),
//!   `load_ns`, `touch_ns`, `update_ns`, `first_seen_ns`, `delete_ns`, `sweep_ns` (CPU time of one)
//! - `growth`: of `load_ns`, `touch_ns`, `update_ns`, `delete_ns` the last of `named` divided by the first
//! - `flood`: `reserved_bytes`, `used_bytes_at_most`, `resident_bytes_at_most` (over what the process held before),
//!   `anonymous_created`, `evicted`, `named_kept`, `named_lost`, `named_refused`, `wrong_answers`

mod flood;
mod parts;
mod process;
mod sample;

use std::error::Error;
use std::process::Command;

use serde_json::{Value, json};

const MILLION: u64 = 1_000_000;

#[expect(clippy::print_stdout, reason = "a program that prints figures")]
fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [part, count] = &words[..]
        && let Ok(count) = count.parse()
    {
        println!("{}", measured(part, count));
        return Ok(());
    }
    let has = |option: &str| words.iter().any(|word| word == option);
    let scale = if has("--small") { 1000 } else { 1 };
    let counts = [10_000, MILLION, 10 * MILLION];
    let named = &counts[..if has("--10m") { 3 } else { 2 }];
    let list = |part: &str, counts: &[u64]| -> Result<Vec<Value>, Box<dyn Error>> {
        let parts = counts
            .iter()
            .map(|count| in_own_process(part, count / scale));
        parts.collect()
    };
    let named = list("named", named)?;
    let growth = json!({
        "load_ns": ratio(&named, "load_ns"),
        "touch_ns": ratio(&named, "touch_ns"),
        "update_ns": ratio(&named, "update_ns"),
        "delete_ns": ratio(&named, "delete_ns"),
    });
    let figures = json!({
        "named": named,
        "anonymous": list("anonymous", &[MILLION])?,
        "growth": growth,
        "flood": in_own_process("flood", 10 * MILLION / scale)?,
    });
    if has("--json") {
        println!("{figures}");
    } else {
        println!("{figures:#}");
    }
    Ok(())
}

fn measured(part: &str, count: u64) -> Value {
    match part {
        "flood" => parts::flooded(count),
        part => parts::sessions(count, part == "named"),
    }
}

fn in_own_process(part: &str, count: u64) -> Result<Value, Box<dyn Error>> {
    let count = count.max(200).to_string();
    let output = Command::new(std::env::current_exe()?)
        .args([part, &count])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The last of a figure divided by the first, to two places.
fn ratio(figures: &[Value], name: &str) -> Option<f64> {
    let of = |figures: Option<&Value>| figures?[name].as_f64();
    let ratio = of(figures.last())? / of(figures.first())?;
    Some((ratio * 100.0).round() / 100.0)
}
