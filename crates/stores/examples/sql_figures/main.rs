//! Figures of the SQLite and MySQL stores beside their drivers alone, on this machine's disk and a MariaDB of its own:
//! `cargo run --release -p cloakroom-stores --all-features --example sql_figures -- [sqlite|mariadb]`.
//!
//! Each line is operations a second: of the driver doing the least that could be meant (one row read by key, one row
//! written and committed), of the store doing the whole operation on sessions of about 450 bytes, and their ratio; the
//! middle of five turns of a second, one after the other. `64` is as many tasks at once.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

mod mariadb;
mod measure;
mod sqlite;

fn main() {
    let only = std::env::args().nth(1);
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    println!(
        "{:34} {:>10} {:>10} {:>6}",
        "a second", "driver", "store", "ratio"
    );
    let runtime = measure::runtime();
    if wanted("sqlite") {
        runtime.block_on(sqlite::measure());
    }
    if wanted("mariadb") {
        runtime.block_on(mariadb::measure());
    }
}
