//! What cargo says about the workspace: where it is, its members and what they depend on.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Result, process};

/// The workspace this program was built from.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo builds; follows `CARGO_TARGET_DIR`.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    /// Our own packages.
    #[serde(rename = "packages")]
    pub(crate) members: Vec<Package>,
}

/// One package, ours or a dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    /// Absent for a package of the workspace, else `kind+address`.
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Absent for a path, else `kind+address`.
    pub(crate) source: Option<String>,
    /// Absent for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
    pub(crate) path: Option<PathBuf>,
}

impl Workspace {
    /// Asks cargo, without resolving: quick and offline.
    pub(crate) fn find() -> Result<Self> {
        // The manifest that is compiled in, not the current folder: `cargo xtask` works from any folder below.
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mut command = process::cargo();
        command
            .args([
                "metadata",
                "--format-version=1",
                "--no-deps",
                "--manifest-path",
            ])
            .arg(manifest);
        Ok(serde_json::from_str(&process::output(command)?)?)
    }

    /// Every package that a build for this machine can contain, dependencies of dependencies included.
    /// For this machine only: other platforms' crates would be downloaded just to read their manifests.
    pub(crate) fn all_packages(&self) -> Result<Vec<Package>> {
        #[derive(Deserialize)]
        struct Resolved {
            packages: Vec<Package>,
        }
        let mut command = process::cargo();
        command.args([
            "metadata",
            "--format-version=1",
            "--all-features",
            "--filter-platform",
            &host()?,
        ]);
        command.current_dir(&self.root);
        let resolved: Resolved = serde_json::from_str(&process::output(command)?)?;
        Ok(resolved.packages)
    }

    /// The dev build of the server.
    pub(crate) fn server_binary(&self) -> PathBuf {
        self.target.join("debug").join("cloakroom")
    }
}

fn host() -> Result<String> {
    let mut command = process::quiet("rustc");
    command.arg("-vV");
    let version = process::output(command)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}
