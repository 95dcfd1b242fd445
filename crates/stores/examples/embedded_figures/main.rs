//! Figures of the embedded store beside the engine alone:
//! `cargo run --release -p cloakroom-stores --all-features --example embedded_figures -- [--json] [SESSIONS]`.
//!
//! With `--json` one document, `{"figures": {key: number}}`; keys stay what they are:
//!
//! - `engine_…`, `store_…`: a second, of bare redb and of the store. `create_N`: sessions of about 450 bytes, durable, N
//!   writers at once (redb: N sessions in one commit); `update_N`, `touch_N` likewise; `load_hot`, `load_file`: one
//!   reader, from the hot map, and without one, a second of processor time; `engine_get`: redb's lookup and the record
//!   decoded, likewise; `engine_row_1`: one row a commit without quick repair, the most that redb can do.
//! - `…_ratio`: store to engine, measured in turns, the middle of all turns.
//! - `open_after_death_ms`, `load_after_death_ms`, `open_after_close_ms`, `load_after_close_ms`: from the start to an open
//!   store and to the first session, with SESSIONS (default 100,000) in the file; `file_bytes_a_session`: its length.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

mod engine;
mod reads;
mod report;
mod restart;
mod samples;
mod writes;

use self::report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [fill, folder, sessions] = &arguments[..]
        && fill == restart::FILL
    {
        return restart::fill_and_die(folder.as_ref(), sessions.parse().unwrap());
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let sessions = arguments.iter().find_map(|argument| argument.parse().ok());
    let mut report = Report::new(json);
    writes::measure(&mut report);
    reads::measure(&mut report);
    restart::measure(&mut report, sessions.unwrap_or(100_000));
    report.end();
}
