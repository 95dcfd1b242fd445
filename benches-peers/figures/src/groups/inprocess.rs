//! A request in one process, without a network.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use crate::options::Options;
use crate::results::{CaseFigures, LayerFigures};
use crate::{Result, complain, process};

/// Of which instructions are counted; the others would say nothing more.
const COUNTED: [&str; 3] = ["no-op", "cloakroom", "tower-sessions"];
/// Requests under valgrind, which runs some fifty times slower.
const REQUESTS: usize = 2000;

#[derive(Deserialize)]
struct Document<T> {
    cases: Vec<Case<T>>,
}

#[derive(Deserialize)]
struct Case<T> {
    case: String,
    layers: BTreeMap<String, T>,
}

#[derive(Deserialize)]
struct Allocations {
    allocations: f64,
}

pub(super) fn measure(options: &Options) -> Result<Vec<CaseFigures>> {
    let mut time = process::pinned(&process::beside("inprocess")?);
    time.args(["time", "--rounds", options.of("7", "31")]);
    let time: Document<Vec<f64>> = serde_json::from_str(&process::output(time)?)?;
    let mut requests = Command::new(process::beside("allocations")?);
    requests.arg("requests");
    let counts: Document<Allocations> = serde_json::from_str(&process::output(requests)?)?;
    let mut cases = Vec::new();
    for (time, counts) in time.cases.into_iter().zip(counts.cases) {
        let mut layers = BTreeMap::new();
        for (name, ns) in time.layers {
            let allocations = counts
                .layers
                .get(&name)
                .ok_or("allocations: a layer is missing")?;
            let figures = LayerFigures {
                ns: ns
                    .into_iter()
                    .map(|ns| (ns * 10.0).round() / 10.0)
                    .collect(),
                allocations: allocations.allocations,
                instructions: instructions(options, &name, &time.case)?,
            };
            layers.insert(name, figures);
        }
        let case = time.case;
        complain(&format!("in process: {case}"));
        cases.push(CaseFigures { case, layers });
    }
    Ok(cases)
}

/// Instructions a request, by callgrind; `None` in a quick run, or where nobody asks.
fn instructions(options: &Options, layer: &str, case: &str) -> Result<Option<f64>> {
    if options.quick || !COUNTED.contains(&layer) {
        return Ok(None);
    }
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--log-fd=1",
        ])
        .arg("--toggle-collect=*measured_requests*")
        .arg(process::beside("inprocess")?)
        .args(["once", layer, case, &REQUESTS.to_string()]);
    let said = process::output(valgrind)?;
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let collected = collected.ok_or_else(|| format!("valgrind said\n{said}"))?.1;
    Ok(Some(collected.trim().parse::<f64>()? / REQUESTS as f64))
}
