//! Goals of the stores outside the process.

use serde_json::Value;

use super::Goal::AtLeast;
use super::{Row, once};
use crate::groups::Group::Remote;
use crate::groups::REMOTE;
use crate::results::{HttpFigures, RemoteFigures};
use crate::statistics::{paired, spread};

pub(super) fn rows(figures: &RemoteFigures) -> Vec<Row> {
    let mut rows = Vec::new();
    let redis = ("Redis store", &figures.redis);
    rows.extend(beside(
        redis,
        "read",
        "store_load",
        "raw_get",
        "load_ratio",
        Some(0.9),
    ));
    rows.extend(beside(
        redis,
        "write",
        "store_update",
        "raw_set",
        "update_ratio",
        None,
    ));
    let postgres = ("PostgreSQL store", &figures.postgres);
    for (case, kind) in [("read", "load_64"), ("write", "update_64")] {
        let (ours, client) = (format!("store_{kind}"), format!("client_{kind}"));
        let (case, ratio) = (format!("{case}, 64 at once"), format!("{kind}_ratio"));
        rows.extend(beside(postgres, &case, &ours, &client, &ratio, Some(0.9)));
    }
    for (store, read, write) in [
        (REMOTE[0], Some(0.50), Some(0.35)),
        (REMOTE[1], Some(0.85), None),
        (REMOTE[2], Some(0.28), Some(0.09)),
        (REMOTE[3], Some(0.85), None),
    ] {
        rows.extend(share(&figures.http, store, "read", read));
        rows.extend(share(&figures.http, store, "read + write", write));
    }
    rows
}

/// A figure of one of the documents, beside the raw client's.
fn beside(
    (store, document): (&str, &Value),
    case: &str,
    ours: &str,
    client: &str,
    ratio: &str,
    goal: Option<f64>,
) -> Option<Row> {
    let number = |name: &str| document.get("figures")?.get(name)?.as_f64();
    let what = format!("{store} beside its raw client, {case}");
    let per_s = |rate: f64| format!("{:.1} k/s", rate / 1e3);
    let row = Row::new(Remote, what, once(number(ratio)?));
    let row = row.of(per_s(number(ours)?), per_s(number(client)?));
    Some(row.goal(goal.map(AtLeast)))
}

/// Requests a second, as a share of the bare handler's in the same round.
fn share(all: &[HttpFigures], store: &str, case: &str, goal: Option<f64>) -> Option<Row> {
    let rates = |name: String| -> Option<Vec<f64>> {
        let found = all.iter().find(|figures| figures.subject == name)?;
        Some(
            found
                .rounds
                .iter()
                .map(|round| round.requests_per_s)
                .collect(),
        )
    };
    let what = format!("{store}, {case}");
    let (ours, bare) = (rates(what.clone())?, rates(format!("control, {case}"))?);
    let ratio = paired(&ours, &bare, |ours, bare| ours / bare)?;
    let text = |rates: Vec<f64>| Some(format!("{:.1} k/s", spread(rates)?.median / 1e3));
    let row = Row::new(Remote, what, ratio).of(text(ours)?, text(bare)?);
    Some(row.goal(goal.map(AtLeast)))
}
