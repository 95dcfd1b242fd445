//! The server for a small device: the profile `small`, and no feature but those that were asked for.

use crate::cli::SmallOptions;
use crate::process::{self, cargo};
use crate::workspace::Workspace;
use crate::{Result, report};

/// Builds it and prints where it is and how large.
pub(crate) fn run(workspace: &Workspace, options: &SmallOptions) -> Result<bool> {
    let mut command = cargo();
    command
        .args([
            "build",
            "--package",
            "cloakroom-server",
            "--profile",
            "small",
        ])
        .arg("--no-default-features")
        .current_dir(&workspace.root);
    let mut folder = workspace.target.clone();
    if let Some(features) = &options.features {
        command.args(["--features", features]);
    }
    if let Some(target) = &options.target {
        command.args(["--target", target]);
        folder.push(target);
    }
    let before = process::children_cpu_minutes();
    process::run(command)?;
    let spent = process::children_cpu_minutes()
        .zip(before)
        .map_or(0.0, |(after, before)| after - before);
    let binary = folder.join("small").join("cloakroom");
    let bytes = std::fs::metadata(&binary)?.len();
    report::say(&format!(
        "{}: {bytes} bytes, {spent:.1} CPU minutes",
        binary.display()
    ));
    Ok(true)
}
