//! `cargo xtask soak`: the same tests as CI with their full counts, in release mode, one at a time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cargo_output::{Binary, Reader};
use crate::cli::SoakOptions;
use crate::workspace::Workspace;
use crate::{Result, process, report};

/// Tells a test to use its full counts.
const SOAK: &str = "CLOAKROOM_SOAK";
/// Gives a test its seed, so that a run can be repeated.
const SEED: &str = "CLOAKROOM_SEED";

/// Runs every test with `soak_` in its name; answers whether all passed.
pub(crate) fn run(workspace: &Workspace, options: &SoakOptions) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(clock_seed);
    let again = format!("cargo xtask soak --seed {seed}");
    report::say(&format!("soak: {SEED}={seed}"));
    let mut command = process::cargo();
    command.args(["test", "--release", "--all-features", "--no-fail-fast"]);
    match &options.package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    command.args(["--", "soak_", "--nocapture", "--test-threads=1"]);
    command
        .current_dir(&workspace.root)
        .env(SOAK, "1")
        .env(SEED, seed.to_string());

    let mut reader = Reader::default();
    let succeeded = process::watch(command, |line| reader.line(line))?;
    let binaries = reader.finish();
    for binary in binaries
        .iter()
        .filter(|binary| binary.passed + binary.failed > 0)
    {
        report::say(&summary(binary));
    }
    let passed: u64 = binaries.iter().map(|binary| binary.passed).sum();
    let failed: u64 = binaries.iter().map(|binary| binary.failed).sum();
    report::say(&format!("soak: seed {seed}; the same again: {again}"));
    report::say(&format!("{passed} passed, {failed} failed"));
    if succeeded && passed == 0 {
        return Err("no test's name contains `soak_`".into());
    }
    Ok(succeeded && failed == 0)
}

fn summary(binary: &Binary) -> String {
    let Binary {
        name,
        passed,
        failed,
        seconds,
        failures,
    } = binary;
    let mut line =
        format!("soak: {name:<32} {seconds:>8.1} s {passed:>4} passed {failed:>4} failed");
    for failure in failures {
        line.push_str(&format!("\n  FAILED {failure}"));
    }
    line
}

fn clock_seed() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| since.as_secs())
}
