//! The memory store under a flood, measured in a process of its own.

use std::process::Command;

use cloakroom_core::store::memory::MIB;

use crate::figures::flood::{Flood, flood};

/// What the process may take over the reservation, whatever its size: requests under way, stacks, code that is touched
/// for the first time. See docs/defaults.md.
const OVERHEAD: usize = 8 * MIB;
const CHILD: &str = "CLOAKROOM_FLOOD";
const NAME: &str = "flood::soak_a_flood_stays_within_the_reservation_and_costs_no_login";

#[test]
fn soak_a_flood_stays_within_the_reservation_and_costs_no_login() {
    if std::env::var_os(CHILD).is_some() {
        let flood = run();
        println!("{flood:#?}");
        return check(&flood);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(told.contains("1 passed"), "the child ran the flood: {told}");
}

fn run() -> Flood {
    let (reserve, anonymous) = match std::env::var_os("CLOAKROOM_SOAK") {
        Some(_) => (64 * MIB, 10_000_000),
        None => (8 * MIB, 20_000),
    };
    flood(reserve, anonymous)
}

fn check(flood: &Flood) {
    assert_eq!((flood.lost, flood.wrong), (0, 0));
    assert!(flood.refused > 0 && flood.named > 1_000);
    assert!(flood.evicted > 0 && flood.evicted < flood.anonymous_created);
    assert!(flood.used_at_most <= flood.reserved);
    let over = flood.resident_at_most.saturating_sub(flood.reserved);
    assert!(over <= OVERHEAD, "{over} bytes over the reservation");
}
