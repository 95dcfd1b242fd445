//! The stages that compile.
//!
//! # Why nothing is compiled twice
//! Cargo shares an artefact only between commands that agree on profile, features and kind of build, and the
//! features of a dependency depend on which packages are selected and on whether dev-dependencies count. Compared
//! by unit graph: every unit of `cargo test --workspace --all-features` but the doc tests is one of
//! `cargo build --workspace --all-features --all-targets`; a plain `cargo build` of the server would compile tokio,
//! serde and a dozen more again, because it leaves the dev-dependencies' features out. So `build` builds all targets
//! at once, and `tests` and `contract` find everything there. Clippy needs metadata instead of machine code and
//! cannot share with `build`; with the same selection and all targets it shares with `docs`, which names `--examples`
//! for that reason alone. `examples` and `features` select differently *on purpose*; they only check, about twenty
//! units each. The release build shares nothing and shows what a user pays.

use crate::Result;
use crate::process::{self, cargo};
use crate::stages::Outcome;
use crate::workspace::Workspace;

/// What `build`, `tests` and `clippy` must agree on; see the top of this file.
pub(super) const SELECTION: [&str; 2] = ["--workspace", "--all-features"];

/// With all targets, so that tests keep the rules too.
pub(super) fn clippy(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo();
    command
        .arg("clippy")
        .args(SELECTION)
        .args(["--all-targets", "--", "-D", "warnings"]);
    // Pedantic as a group is too much; of it, only the length of functions is a rule of this house.
    command
        .args(["-D", "clippy::too_many_lines"])
        .current_dir(&workspace.root);
    process::run(command).map(|()| Outcome::passed())
}

/// Everything that `tests` and `contract` run.
pub(super) fn build(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo();
    command
        .arg("build")
        .args(SELECTION)
        .arg("--all-targets")
        .current_dir(&workspace.root);
    process::run(command).map(|()| Outcome::passed())
}

/// Alone, as a reader would compile them: inside the workspace the server's features hide a missing one.
pub(super) fn examples(workspace: &Workspace) -> Result<Outcome> {
    plain(
        workspace,
        "check --package cloakroom-examples --all-targets",
    )
}

/// Several commands, because the other libraries turn core's features on, and each store must do without the others.
pub(super) fn features(workspace: &Workspace) -> Result<Outcome> {
    plain(
        workspace,
        "check --package cloakroom-core --no-default-features",
    )?;
    plain(
        workspace,
        "check --package cloakroom --package cloakroom-stores --no-default-features",
    )?;
    for store in STORES {
        let words =
            "check --package cloakroom --package cloakroom-stores --no-default-features --features";
        plain(
            workspace,
            &format!("{words} cloakroom/{store},cloakroom-stores/{store}"),
        )?;
    }
    // The small server of docs/small-device.md.
    plain(
        workspace,
        "check --package cloakroom-server --bins --no-default-features",
    )
}

/// The stores that are a feature each.
const STORES: [&str; 6] = ["embedded", "files", "mysql", "postgres", "redis", "sqlite"];

/// The workspace of the benchmarks and of `compare`: that it still compiles, formatted and without a warning. Nothing of it
/// runs in CI, where a figure would mean nothing.
pub(super) fn peers(workspace: &Workspace) -> Result<Outcome> {
    for words in ["fmt --all --check", "check --locked --workspace"] {
        let mut command = cargo();
        command
            .args(words.split_whitespace())
            .env_remove("CARGO_TARGET_DIR")
            .current_dir(crate::bench::peers(workspace));
        process::run(command)?;
    }
    Ok(Outcome::passed())
}

/// The libraries only: the server's binary has the library's name, and their pages would overwrite each other.
pub(super) fn docs(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo();
    command
        .arg("doc")
        .args(SELECTION)
        .args(["--no-deps", "--lib", "--examples"]);
    command
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(&workspace.root);
    process::run(command).map(|()| Outcome::passed())
}

/// As a user types it: default members, default features.
pub(super) fn release(workspace: &Workspace) -> Result<Outcome> {
    let before = process::children_cpu_minutes();
    let outcome = plain(workspace, "build --release")?;
    let spent = process::children_cpu_minutes()
        .zip(before)
        .map(|(after, before)| after - before);
    let note = spent.map_or_else(String::new, |minutes| {
        format!("{minutes:.1} CPU minutes, limit 10 from nothing")
    });
    Ok(Outcome { note, ..outcome })
}

/// Cargo with these words; passed if it succeeds.
pub(super) fn plain(workspace: &Workspace, words: &str) -> Result<Outcome> {
    let mut command = cargo();
    command
        .args(words.split_whitespace())
        .current_dir(&workspace.root);
    process::run(command).map(|()| Outcome::passed())
}
