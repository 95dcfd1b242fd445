//! `cargo xtask compare`: the scenarios that every session layer should survive, against ours and against peers.
//!
//! What it says about peers is for the terminal of whoever runs it, and for nothing else: the documents of this project
//! name no defect of a named peer that its maintainers have not published.

use crate::bench::peers;
use crate::workspace::Workspace;
use crate::{Result, process};

/// Answers whether ours holds in every scenario.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut command = process::cargo();
    command
        .args(["run", "--release", "--quiet", "--package", "compare"])
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(peers(workspace));
    Ok(command.status()?.success())
}
