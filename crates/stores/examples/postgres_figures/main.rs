//! Figures of the PostgreSQL store beside its client library alone, on a server that this program starts:
//! `cargo run --release -p cloakroom-stores --example postgres_figures --features postgres -- [--json] [SESSIONS]`.
//!
//! With `--json` one document, `{"figures": {key: number}}`; keys stay what they are:
//!
//! - `client_…`, `store_…`: a second, of pipelined tokio-postgres and of the store; `…_ratio`: store to client, measured
//!   in turns, the middle of all turns. `load_N`, `update_N`: N tasks at once, equally many connections on both sides.
//!   The client does a prepared single-row SELECT of a record's bytes by id, and a prepared single-row UPDATE of them by
//!   id and version, durable; the store does all that its contract asks for.
//! - `store_load_revoked_…`: as `load`, after somebody's sessions were revoked, so that every session admitted before
//!   that needs a second look.
//! - `store_touch_64`, `store_create_64`, `store_login_64` (with a limit of sessions), `store_delete_64`: a second.
//! - `bytes_a_session`, `index_bytes_a_session`: on disk, with SESSIONS (default 100,000) in the table, of
//!   `record_bytes` each.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

mod client;
mod measure;
mod report;

use self::report::Report;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let sessions = arguments.iter().find_map(|argument| argument.parse().ok());
    let mut report = Report::new(json);
    measure::all(&mut report, sessions.unwrap_or(100_000)).await;
    report.end();
}
