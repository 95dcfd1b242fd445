//! Stores alone: what ours cost, and what a session takes in the peers' memory stores.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::options::Options;
use crate::results::{SizeFigures, StoreFigures};
use crate::{Result, complain, process};

const PEERS: [&str; 2] = ["tower-sessions", "axum_session"];

pub(super) fn measure(options: &Options) -> Result<StoreFigures> {
    let sessions = options.of("100000", "1000000");
    let examples = options.ours.join("examples");
    let mut figures = StoreFigures {
        embedded: document(&examples.join("embedded_figures"), &["--json"])?,
        memory: document(&examples.join("memory_figures"), &["--json"])?,
        peers: BTreeMap::new(),
    };
    for layer in PEERS {
        complain(&format!("{sessions} sessions in {layer}"));
        let mut command = Command::new(process::beside("allocations")?);
        command.args(["sessions", layer, sessions]);
        let size: SizeFigures = serde_json::from_str(&process::output(command)?)?;
        figures.peers.insert(layer.to_owned(), size);
    }
    Ok(figures)
}

/// Both processors: the embedded store's writer is a thread of its own.
pub(super) fn document(program: &Path, words: &[&str]) -> Result<serde_json::Value> {
    complain(&program.display().to_string());
    let mut command = Command::new(program);
    command.args(words);
    let said = process::output(command)?;
    serde_json::from_str(&said).map_err(|error| format!("{}: {error}", program.display()).into())
}
