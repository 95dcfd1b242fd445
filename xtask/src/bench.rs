//! `cargo xtask bench`: builds what is measured, and starts `figures`, which measures, judges and writes the page.
//!
//! The measuring stands in `benches-peers`, a workspace of its own: this program is compiled before everything else.

use std::path::PathBuf;

use crate::cli::SmallOptions;
use crate::workspace::Workspace;
use crate::{Result, process, report, setup, small};

/// What `bench` takes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct BenchOptions {
    /// Fewer and shorter rounds, and none of the groups that take minutes.
    pub(crate) quick: bool,
    /// This group alone; `page` draws the page again from what was measured.
    pub(crate) only: Option<String>,
}

/// The groups that need more than `benches-peers`' default members.
const PAGE: &str = "page";
const SERVER: &str = "server";
const SCALE: &str = "scale";
const STORES: &str = "stores";
const DEVICE: &str = "device";
const REMOTE: &str = "remote";

/// Measures; an error where something could not be measured. A goal that is missed is no error.
pub(crate) fn run(workspace: &Workspace, options: &BenchOptions) -> Result<()> {
    if options.only.as_deref() != Some(PAGE) {
        setup::bench()?;
    }
    build(workspace, options)?;
    let mut figures = process::quiet(peers(workspace).join("target/release/figures"));
    figures.arg("--root").arg(&workspace.root);
    figures.arg("--ours").arg(workspace.target.join("release"));
    if options.quick {
        figures.arg("--quick");
    }
    if let Some(only) = &options.only {
        figures.args(["--only", only]);
    }
    figures.current_dir(&workspace.root);
    process::run(figures)
}

/// The workspace of the peers.
pub(crate) fn peers(workspace: &Workspace) -> PathBuf {
    workspace.root.join("benches-peers")
}

/// Only what is wanted: a release build of the server alone takes minutes.
fn build(workspace: &Workspace, options: &BenchOptions) -> Result<()> {
    let wants = |group: &str| match &options.only {
        Some(only) => only == group,
        // The groups that a quick run leaves out.
        None => !(options.quick && [SCALE, STORES, REMOTE].contains(&group)),
    };
    let peers = peers(workspace);
    cargo(&peers, "build --release")?;
    if wants(SCALE) {
        cargo(&peers, "build --release --package prefilled")?;
    }
    if wants(SERVER) || wants(DEVICE) {
        cargo(&workspace.root, "build --release")?;
    }
    if wants(STORES) || wants(REMOTE) {
        let packages = "--package cloakroom-core --package cloakroom-stores";
        let examples = "--example memory_figures --example embedded_figures \
                        --example redis_figures --example postgres_figures";
        cargo(
            &workspace.root,
            &format!("build --release --all-features {packages} {examples}"),
        )?;
    }
    if wants(DEVICE) {
        small::run(workspace, &SmallOptions::default())?;
    }
    Ok(())
}

fn cargo(folder: &std::path::Path, words: &str) -> Result<()> {
    report::say(&format!("== cargo {words}"));
    let mut command = process::cargo();
    command.args(words.split_whitespace()).current_dir(folder);
    // A target folder of the caller's is for our own workspace.
    if folder.ends_with("benches-peers") {
        command.env_remove("CARGO_TARGET_DIR");
    }
    process::run(command)
}
