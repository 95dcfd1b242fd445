//! The plots beside the page: what each shows, from the raw figures.

mod bars;

use std::path::Path;

use bars::{Bar, Chart, Group};

use crate::Result;
use crate::goals::{Goal, Row};
use crate::groups;
use crate::results::{CaseFigures, Results, StoreFigures};
use crate::statistics::paired;

/// The series of the comparisons, in the order of their colours.
const LAYERS: [&str; 3] = ["cloakroom", "tower-sessions", "axum_session"];

/// Writes a plot for each group that has figures.
pub(super) fn write(folder: &Path, results: &Results, rows: &[Row]) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    if let Some(taken) = &results.inprocess {
        inprocess(&taken.figures).write(&folder.join("inprocess.svg"))?;
    }
    if results.library.is_some() {
        library(rows).write(&folder.join("library.svg"))?;
    }
    if results.server.is_some() {
        server(rows).write(&folder.join("server.svg"))?;
    }
    if results.remote.is_some() {
        remote(rows).write(&folder.join("remote.svg"))?;
    }
    if let Some(taken) = &results.stores {
        memory(&taken.figures, rows).write(&folder.join("memory.svg"))?;
    }
    Ok(())
}

fn inprocess(cases: &[CaseFigures]) -> Chart {
    let group = |case: &CaseFigures| {
        let floor = &case.layers.get("no-op")?.ns;
        let over = |layer: &str| {
            let ns = &case.layers.get(layer)?.ns;
            Some(paired(ns, floor, |ns, floor| ns - floor)?.median)
        };
        let (label, share) = match case.case.as_str() {
            "stranger" => ("untouched, no cookie", None),
            "untouched" => ("untouched, with cookie", Some(0.25)),
            "read" => ("read one key", Some(1.0 / 3.0)),
            "write" => ("read + write one key", Some(1.0 / 3.0)),
            "new" => ("new session", Some(0.5)),
            // The peers have no such call.
            _ => return None,
        };
        let bar = |(series, layer): (usize, &str)| {
            let value = over(layer)?;
            Some(Bar {
                series,
                value,
                text: format!("{value:.0}"),
            })
        };
        Some(Group {
            label: label.to_owned(),
            bars: LAYERS.into_iter().enumerate().filter_map(bar).collect(),
            goal: share.and_then(|share| Some(share * over("tower-sessions")?)),
        })
    };
    Chart {
        title: "Processor time of a request, over a layer that does nothing",
        axis: "nanoseconds",
        series: &LAYERS,
        groups: cases.iter().filter_map(group).collect(),
        limit: None,
    }
}

fn library(rows: &[Row]) -> Chart {
    let group = |case: &str| {
        let found = |layer: &str| {
            let what = format!("{layer}, {case}");
            rows.iter()
                .find(|row| row.group == groups::Group::Library && row.what == what)
        };
        Group {
            label: case.to_owned(),
            bars: (0..)
                .zip(LAYERS)
                .filter_map(|(series, layer)| Some(share(series, found(layer)?)))
                .collect(),
            goal: found("cloakroom").and_then(goal),
        }
    };
    Chart {
        title: "Requests a second over HTTP, as a share of bare axum",
        axis: "share of bare axum in the same round",
        series: &LAYERS,
        groups: ["untouched", "read", "read + write"].map(group).into(),
        limit: Some(1.0),
    }
}

fn server(rows: &[Row]) -> Chart {
    const STORES: [&str; 2] = ["memory store", "embedded store"];
    let group = |path: &str| {
        let found = |store: &str| {
            let what = format!("{path}, {store}");
            rows.iter().find(|row| row.what == what)
        };
        Group {
            label: path.to_owned(),
            bars: (0..)
                .zip(STORES)
                .filter_map(|(series, store)| Some(share(series, found(store)?)))
                .collect(),
            goal: found(STORES[0]).and_then(goal),
        }
    };
    Chart {
        title: "The server's endpoints, as a share of a bare handler of the same shape",
        axis: "share of the bare handler in the same round",
        series: &STORES,
        groups: ["POST /v1/sessions/verify", "GET /auth-request"]
            .map(group)
            .into(),
        limit: Some(1.0),
    }
}

fn remote(rows: &[Row]) -> Chart {
    const CASES: [&str; 2] = ["read", "read + write"];
    let group = |store: &str| {
        let found = |case: &str| {
            let what = format!("{store}, {case}");
            rows.iter()
                .find(|row| row.group == groups::Group::Remote && row.what == what)
        };
        Group {
            label: store.to_owned(),
            bars: (0..)
                .zip(CASES)
                .filter_map(|(series, case)| Some(share(series, found(case)?)))
                .collect(),
            goal: found(CASES[0]).and_then(goal),
        }
    };
    Chart {
        title: "The library over HTTP on stores outside the process, as a share of bare axum",
        axis: "share of bare axum's requests a second in the same round",
        series: &CASES,
        groups: crate::groups::REMOTE.map(group).into(),
        limit: Some(1.0),
    }
}

fn memory(figures: &StoreFigures, rows: &[Row]) -> Chart {
    let ours = rows
        .iter()
        .find(|row| row.what.starts_with("memory store, bytes"));
    let mut bars = Vec::new();
    if let Some(row) = ours {
        let value = row.figure.median;
        bars.push(Bar {
            series: 0,
            value,
            text: format!("{value:.0}"),
        });
    }
    for (series, layer) in LAYERS.into_iter().enumerate().skip(1) {
        if let Some(size) = figures.peers.get(layer) {
            let value = size.live - size.payload;
            bars.push(Bar {
                series,
                value,
                text: format!("{value:.0}"),
            });
        }
    }
    Chart {
        title: "Memory that a session takes beyond its 190 bytes of data",
        axis: "bytes a session",
        series: &LAYERS,
        groups: vec![Group {
            label: "memory store".to_owned(),
            bars,
            goal: ours.and_then(goal),
        }],
        limit: None,
    }
}

fn share(series: usize, row: &Row) -> Bar {
    let value = row.figure.median;
    Bar {
        series,
        value,
        text: format!("{value:.2}"),
    }
}

fn goal(row: &Row) -> Option<f64> {
    row.goal
        .map(|(Goal::AtMost(limit) | Goal::AtLeast(limit))| limit)
}
