//! Goals of the stores and of the small device.

use serde_json::Value;

use super::Goal::{AtLeast, AtMost};
use super::{Row, once};
use crate::groups::Group::{Device, Stores};
use crate::results::{DeviceFigures, StoreFigures};

pub(super) fn rows(figures: &StoreFigures) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(memory(&figures.memory).map(|row| row.goal(AtMost(130.0))));
    for (name, size) in &figures.peers {
        let what = format!(
            "memory store of {name}, bytes over the payload at {}",
            size.sessions
        );
        let row = Row::new(Stores, what, once(size.live - size.payload));
        let ours = format!("{:.0} asked of the allocator", size.live);
        rows.push(row.of(ours, format!("{:.0} of data", size.payload)));
    }
    rows.extend(flood(&figures.memory));
    rows.extend(embedded(&figures.embedded));
    rows
}

/// From `memory_figures --json`: strangers without end over some people, then more people than there is room for.
fn flood(document: &Value) -> Vec<Row> {
    const MIB: f64 = 1024.0 * 1024.0;
    let number = |name: &str| document.get("flood")?.get(name)?.as_f64();
    let rows = || {
        let created = number("anonymous_created")? / 1e6;
        let (reserved, held) = (number("reserved_bytes")?, number("resident_bytes_at_most")?);
        let what = format!(
            "memory store, flood of {created:.0} million: MiB of the process over the reservation"
        );
        let over = Row::new(Stores, what, once((held - reserved) / MIB));
        let ours = format!("{:.1} MiB at most", held / MIB);
        let over = over.of(ours, format!("{:.0} MiB reserved", reserved / MIB));
        let what = "memory store, the same flood: sessions with a subject lost";
        let lost = Row::new(Stores, what.to_owned(), once(number("named_lost")?));
        let ours = format!("{:.0} kept", number("named_kept")?);
        let refused = format!("{:.0} refused in the end", number("named_refused")?);
        Some(vec![
            over.goal(AtMost(8.0)),
            lost.of(ours, refused).goal(AtMost(0.0)),
        ])
    };
    rows().unwrap_or_default()
}

/// From `memory_figures --json`: a million sessions of a subject each. The larger of what the store charges and of what the
/// process takes, because a user pays both.
fn memory(document: &Value) -> Option<Row> {
    let named = document.get("named")?.as_array()?;
    let million = named
        .iter()
        .find(|figures| figures["sessions"] == 1_000_000)?;
    let number = |name: &str| million.get(name).and_then(Value::as_f64);
    let (charged, resident) = (number("charged_over_data")?, number("resident_over_data")?);
    let what = "memory store, bytes over the payload at 1000000, subject index included";
    let row = Row::new(Stores, what, once(charged.max(resident)));
    let ours = format!("{charged:.0} charged, {resident:.0} resident");
    Some(row.of(ours, format!("{:.0} of data", number("data_bytes")?)))
}

/// From `embedded_figures --json`: each figure beside the engine alone, taken in turns.
fn embedded(document: &Value) -> Vec<Row> {
    let compared = [
        (
            "durable creates, one writer",
            "create_1",
            "engine_create_1",
            "create_1_ratio",
            AT_ITS_RATE,
        ),
        (
            "durable creates, 32 writers",
            "create_32",
            "engine_create_32",
            "create_32_ratio",
            AT_ITS_RATE,
        ),
        (
            "reads, hot",
            "load_hot",
            "engine_get",
            "load_hot_ratio",
            5.0,
        ),
    ];
    let number = |name: &str| document.get("figures")?.get(name)?.as_f64();
    let row = |(what, ours, engine, ratio, goal): (&str, &str, &str, &str, f64)| {
        let (ours, engine) = (number(&format!("store_{ours}"))?, number(engine)?);
        let row = Row::new(
            Stores,
            format!("embedded store, {what}, beside redb alone"),
            once(number(ratio)?),
        );
        let rate = |rate: f64| format!("{:.1} k/s", rate / 1e3);
        Some(row.of(rate(ours), rate(engine)).goal(AtLeast(goal)))
    };
    compared.into_iter().filter_map(row).collect()
}

/// The engine's own rate: what it cannot exceed, less what two turns of the same program differ by.
const AT_ITS_RATE: f64 = 0.95;

pub(super) fn device(figures: &[DeviceFigures]) -> Vec<Row> {
    const MB: f64 = 1e6;
    let mut rows = Vec::new();
    for figures in figures {
        let profile = &figures.profile;
        let reserve = format!("{:.1} MB reserved", figures.reserve_bytes as f64 / MB);
        for (when, bytes) in [
            ("at rest", figures.resident_bytes),
            ("at its peak", figures.peak_bytes),
        ] {
            let beyond = (bytes as f64 - figures.reserve_bytes as f64) / MB;
            let what = format!("MB resident beyond the reserve {when}, profile {profile}");
            let ours = format!("{:.1} MB", bytes as f64 / MB);
            let row = Row::new(Device, what, once(beyond)).of(ours, reserve.clone());
            rows.push(row.goal(AtMost(16.0)));
        }
        let size = figures.binary_bytes as f64 / MB;
        rows.push(Row::new(
            Device,
            format!("MB of the binary, profile {profile}"),
            once(size),
        ));
    }
    rows
}
