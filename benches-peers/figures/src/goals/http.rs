//! Goals over HTTP, as a share of a bare handler in the same round.

use super::Goal::{self, AtLeast};
use super::Row;
use crate::groups::Group;
use crate::results::{HttpFigures, Round};
use crate::statistics::{Spread, paired, spread};

pub(super) fn library(figures: &[HttpFigures]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, goal) in [
        ("untouched", None),
        ("read", Some(0.88)),
        ("read + write", Some(0.80)),
    ] {
        for layer in ["cloakroom", "tower-sessions", "axum_session"] {
            let goal = goal.filter(|_| layer == "cloakroom").map(AtLeast);
            let what = format!("{layer}, {case}");
            let row = share(
                Group::Library,
                &what,
                figures,
                &what,
                &format!("control, {case}"),
            );
            rows.extend(row.map(|row| row.goal(goal)));
        }
    }
    rows
}

pub(super) fn server(figures: &[HttpFigures]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (endpoint, path) in [
        ("verify", "POST /v1/sessions/verify"),
        ("auth-request", "GET /auth-request"),
    ] {
        for store in ["memory store", "embedded store"] {
            let (ours, twin) = (
                format!("{store}, {endpoint}"),
                format!("bare handler, {endpoint}"),
            );
            let row = share(
                Group::Server,
                &format!("{path}, {store}"),
                figures,
                &ours,
                &twin,
            );
            rows.extend(row.map(|row| row.goal(AtLeast(0.80))));
        }
    }
    rows
}

pub(super) fn scale(figures: &[HttpFigures]) -> Vec<Row> {
    let what = "verify: 10 million sessions, as a share of 10 thousand";
    let row = share(
        Group::Scale,
        what,
        figures,
        "10 million sessions",
        "10 thousand sessions",
    );
    // Within 1.5 times.
    row.map(|row| row.goal(Goal::AtLeast(1.0 / 1.5)))
        .into_iter()
        .collect()
}

/// Requests in a second of the processor, as a share of `beside`'s, round by round.
fn share(group: Group, what: &str, all: &[HttpFigures], ours: &str, beside: &str) -> Option<Row> {
    let find = |name: &str| all.iter().find(|figures| figures.subject == name);
    let (ours, beside) = (find(ours)?, find(beside)?);
    let rates = |of: &HttpFigures| -> Vec<f64> { of.rounds.iter().map(Round::rate).collect() };
    let ratio = paired(&rates(ours), &rates(beside), |ours, beside| ours / beside)?;
    let text = |of: &HttpFigures| {
        let rate = spread(rates(of))?;
        let server = spread(of.rounds.iter().map(|round| round.server_us))?;
        Some(rate_text(rate, server))
    };
    Some(Row::new(group, what, ratio).of(text(ours)?, text(beside)?))
}

fn rate_text(rate: Spread, server: Spread) -> String {
    format!("{:.1} k/s, {:.2} us", rate.median / 1e3, server.median)
}
