//! Goals of a request in process, over what any tower layer costs.

use super::Goal::AtMost;
use super::{Goal, Row, once};
use crate::groups::Group::InProcess;
use crate::results::{CaseFigures, LayerFigures};
use crate::statistics::{paired, spread};

/// The floor that is taken off: a layer that does nothing.
const FLOOR: &str = "no-op";
const OURS: &str = "cloakroom";
const PEER: &str = "tower-sessions";

/// As a person calls the case; the share of the peer's time; allocations.
fn goals(case: &str) -> (&'static str, Option<Goal>, Option<Goal>) {
    match case {
        "stranger" => ("untouched, no cookie", None, None),
        "untouched" => (
            "untouched, with cookie",
            Some(AtMost(0.25)),
            Some(AtMost(2.0)),
        ),
        "read" => ("read one key", Some(AtMost(1.0 / 3.0)), Some(AtMost(5.0))),
        "write" => (
            "read + write one key",
            Some(AtMost(1.0 / 3.0)),
            Some(AtMost(12.0)),
        ),
        "update" => ("update one key in place", None, None),
        _ => ("new session", Some(AtMost(0.5)), None),
    }
}

pub(super) fn rows(cases: &[CaseFigures]) -> Vec<Row> {
    let mut rows = Vec::new();
    for case in cases {
        let layer = |name: &str| case.layers.get(name);
        let (Some(floor), Some(ours), Some(peer)) = (layer(FLOOR), layer(OURS), layer(PEER)) else {
            continue;
        };
        let (what, time, allocations) = goals(&case.case);
        rows.extend(share(what, floor, ours, peer).map(|row| row.goal(time)));
        let over = |of: &LayerFigures| of.allocations - floor.allocations;
        let row = Row::new(
            InProcess,
            format!("{what}: allocations"),
            once(over(ours).round()),
        );
        let beside = format!("{:.0}", over(peer));
        rows.push(
            row.of(format!("{:.0}", over(ours)), beside)
                .goal(allocations),
        );
        rows.extend(instructions(what, floor, ours, peer));
    }
    rows
}

/// Instructions over the floor, as valgrind's processor has them: one without SHA extensions.
fn instructions(
    what: &str,
    floor: &LayerFigures,
    ours: &LayerFigures,
    peer: &LayerFigures,
) -> Option<Row> {
    let floor = floor.instructions?;
    let (ours, peer) = (ours.instructions? - floor, peer.instructions? - floor);
    let what = format!("{what}: instructions, share of tower-sessions'");
    let row = Row::new(InProcess, what, once(ours / peer));
    Some(row.of(format!("{ours:.0}"), format!("{peer:.0}")))
}

/// Nanoseconds over the floor, as a share of the peer's, round by round.
fn share(
    what: &str,
    floor: &LayerFigures,
    ours: &LayerFigures,
    peer: &LayerFigures,
) -> Option<Row> {
    let over = |of: &LayerFigures| -> Vec<f64> {
        of.ns
            .iter()
            .zip(&floor.ns)
            .map(|(ns, floor)| ns - floor)
            .collect()
    };
    let (ours, peer) = (over(ours), over(peer));
    let ratio = paired(&ours, &peer, |ours, peer| ours / peer)?;
    let text = |figures: &[f64]| {
        let spread = spread(figures.iter().copied());
        spread.map(|spread| format!("{:.0} ns", spread.median))
    };
    let row = Row::new(
        InProcess,
        format!("{what}: time, share of tower-sessions'"),
        ratio,
    );
    Some(row.of(text(&ours)?, text(&peer)?))
}
