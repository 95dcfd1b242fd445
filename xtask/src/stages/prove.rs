//! The stages that check and test what stands there.

use std::path::PathBuf;

use super::compile::{SELECTION, plain};
use crate::cargo_output::Reader;
use crate::process::{self, cargo, quiet};
use crate::stages::{Outcome, Verdict};
use crate::workspace::Workspace;
use crate::{Result, report, tidy};

/// The formatting of every package.
pub(super) fn fmt(workspace: &Workspace) -> Result<Outcome> {
    plain(workspace, "fmt --all --check")
}

/// The rules that no compiler checks.
pub(super) fn tidy_up(workspace: &Workspace) -> Result<Outcome> {
    let findings = tidy::check(workspace)?;
    report::findings(&findings);
    let count = findings.errors.len();
    Ok(if count == 0 {
        Outcome::passed()
    } else {
        Outcome::failed(format!("{count} errors"))
    })
}

/// Plain `cargo test`: every toolchain has it, and it runs the doc tests too.
pub(super) fn tests(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo();
    command
        .arg("test")
        .args(SELECTION)
        .arg("--no-fail-fast")
        .current_dir(&workspace.root);
    let mut reader = Reader::default();
    let succeeded = process::watch(command, |line| reader.line(line))?;
    let mut outcome = Outcome::passed();
    for binary in reader.finish() {
        outcome.passed += binary.passed;
        outcome.failed += binary.failed;
        outcome.failed_tests.extend(
            binary
                .failures
                .iter()
                .map(|test| format!("{}: {test}", binary.name)),
        );
    }
    if !succeeded || outcome.failed > 0 {
        outcome.verdict = Verdict::Failed;
        if outcome.failed == 0 {
            outcome.note = "cargo test failed, and no test did: see above".into();
        }
    } else if outcome.passed == 0 {
        return Err("not one test ran".into());
    }
    Ok(outcome)
}

/// schemathesis against the server's own description; one test as a whole.
pub(super) fn contract(workspace: &Workspace) -> Result<Outcome> {
    let script = workspace.root.join("crates/server/tests/contract/run.sh");
    if !script.is_file() {
        return Ok(Outcome::skipped("no crates/server/tests/contract/run.sh"));
    }
    let binary = workspace.server_binary();
    if !binary.is_file() {
        return Err(format!(
            "{} is missing: run the stage `build` first",
            binary.display()
        )
        .into());
    }
    let programs = schemathesis(workspace)?;
    let mut command = quiet("bash");
    command.arg(script).current_dir(&workspace.root);
    command
        .env("CLOAKROOM_SCHEMATHESIS", programs)
        .env("CLOAKROOM_BIN", binary);
    let succeeded = process::watch(command, |_| {})?;
    Ok(if succeeded {
        Outcome {
            passed: 1,
            ..Outcome::passed()
        }
    } else {
        Outcome {
            failed: 1,
            failed_tests: vec!["run.sh".into()],
            ..Outcome::failed("")
        }
    })
}

/// Without the advisories, whose database comes from the net; `tidy` checks the licences in any case.
pub(super) fn deny(workspace: &Workspace) -> Result<Outcome> {
    let mut probe = cargo();
    probe.args(["deny", "--version"]);
    if !process::succeeds(probe) {
        return Ok(Outcome::skipped(
            "cargo-deny is not installed; tidy checked the licences",
        ));
    }
    plain(workspace, "deny --all-features check bans licenses sources")
}

/// A Python environment of our own; answers its folder of programs.
fn schemathesis(workspace: &Workspace) -> Result<PathBuf> {
    let environment = workspace.target.join("venv");
    let programs = environment.join("bin");
    // pip writes the program last, so its presence means that an earlier run finished.
    if !programs.join("schemathesis").is_file() {
        let mut make = quiet("python3");
        make.args(["-m", "venv", "--clear"]).arg(&environment);
        process::run(make)?;
        let mut install = quiet(programs.join("pip"));
        install.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "schemathesis==4.*",
        ]);
        process::run(install)?;
    }
    Ok(programs)
}
