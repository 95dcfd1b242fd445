//! Runs every rule over the workspace: reads the files, the rules themselves see only text.

use std::fs;
use std::path::{Path, PathBuf};

use super::{contract, edges, licences, sources, text};
use crate::Result;
use crate::workspace::Workspace;

/// What is wrong, and what is only a smell.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// One Rust source, with its path from the root of the workspace.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) text: String,
}

/// The folders that hold our Rust sources; a missing one is fine.
const FOLDERS: [&str; 5] = ["crates", "xtask", "examples", "benches-peers", "fuzz"];

/// Applies all rules.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&workspace.root, &workspace.root.join(folder), &mut files)?;
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut findings = Findings::default();
    for file in &files {
        findings.errors.extend(text::errors(file));
        findings.warnings.extend(text::warnings(file));
    }
    findings.errors.extend(edges::check(&workspace.members));
    findings.errors.extend(contract::check(&files));
    let packages = workspace.all_packages()?;
    findings.errors.extend(sources::check(
        &workspace.root,
        &workspace.members,
        &packages,
    ));
    let rules = fs::read_to_string(workspace.root.join("deny.toml"))?;
    findings.errors.extend(licences::check(&rules, &packages)?);
    Ok(findings)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && !is_generated(&entry.file_name()) {
            collect(root, &path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let shown: PathBuf = path.strip_prefix(root).unwrap_or(&path).to_owned();
            files.push(SourceFile {
                path: shown.to_string_lossy().into_owned(),
                text,
            });
        }
    }
    Ok(())
}

fn is_generated(folder: &std::ffi::OsStr) -> bool {
    folder == "target" || folder == "node_modules" || folder.to_string_lossy().starts_with('.')
}
