//! Tests of the stores: the contract, crashes, bounds.
//!
//! Tests named `soak_*` run small counts unless `CLOAKROOM_SOAK=1`; `CLOAKROOM_SEED` repeats a run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "in a test a panic is how it fails, and seeds and figures are for whoever reads its output"
)]

mod bounds;
mod conformance;
mod cost;
mod crash;
mod disk;
mod file;
mod files;
mod growth;
mod kill;
mod model;
mod mysql;
mod near;
mod overflow;
mod postgres;
mod redis;
mod sqlite;

/// A count: small, or the full one of a soak.
fn soak(few: usize, many: usize) -> usize {
    let full = std::env::var_os("CLOAKROOM_SOAK").is_some_and(|value| value == "1");
    if full { many } else { few }
}

/// Where chance begins: `CLOAKROOM_SEED`, or chance itself; printed, so that a failure can be repeated.
fn seed() -> u64 {
    let given = std::env::var("CLOAKROOM_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("CLOAKROOM_SEED={seed}");
    seed
}
