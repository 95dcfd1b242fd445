//! `check-config` and `config print`.

use super::{Failure, output::Output};
use crate::config::{self, Flags, Loaded};
use serde_json::json;
use std::path::Path;

/// Checks a configuration with all its layers, and the files of `[server.tls]`. Exit status 1 where it cannot be used.
pub(super) fn check(mut flags: Flags, file: Option<&Path>, out: Output) -> Result<(), Failure> {
    if let Some(file) = file {
        flags.file = Some(file.to_path_buf());
    }
    let loaded = config::load(&flags)?;
    let pair = loaded.tls()?;
    if let Some(pair) = &pair {
        loaded.origin_by_certificate(pair, None)?;
        if pair.has_expired() {
            return Err(Failure::Failed(pair.outlook()));
        }
    }
    let name = loaded.file.map_or_else(
        || "no file, defaults only".to_owned(),
        |file| file.display().to_string(),
    );
    let mut document = json!({"valid": true, "file": name});
    let mut text = format!("{name}: valid");
    if let Some(pair) = pair {
        let outlook = pair.outlook();
        text = format!("{text}; {outlook}");
        document["certificate"] = json!(outlook);
    }
    out.answer(&document, || text)
}

/// Prints the effective configuration.
pub(super) fn print(loaded: &Loaded, out: Output) -> Result<(), Failure> {
    let text = config::print(loaded).map_err(Failure::failed)?;
    out.answer(
        &serde_json::to_value(&loaded.config).map_err(Failure::failed)?,
        || text,
    )
}
