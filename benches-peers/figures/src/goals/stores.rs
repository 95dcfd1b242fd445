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
            "{name}'s memory store, bytes over the payload at {}",
            size.sessions
        );
        let row = Row::new(Stores, what, once(size.live - size.payload));
        let ours = format!("{:.0} asked of the allocator", size.live);
        rows.push(row.of(ours, format!("{:.0} of data", size.payload)));
    }
    rows.extend(embedded(&figures.embedded));
    rows
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

/// From `embedded_figures --json`.
fn embedded(_document: &Value) -> Vec<Row> {
    let _ = AtLeast(1.0);
    Vec::new()
}

pub(super) fn device(figures: &[DeviceFigures]) -> Vec<Row> {
    const MB: f64 = 1e6;
    let mut rows = Vec::new();
    for figures in figures {
        let profile = &figures.profile;
        let beyond = (figures.resident_bytes as f64 - figures.reserve_bytes as f64) / MB;
        let row = Row::new(
            Device,
            format!("MB resident beyond the reserve, profile {profile}"),
            once(beyond),
        );
        let ours = format!("{:.1} MB at most", figures.resident_bytes as f64 / MB);
        let reserve = format!("{:.1} MB reserved", figures.reserve_bytes as f64 / MB);
        rows.push(row.of(ours, reserve).goal(AtMost(16.0)));
        let size = figures.binary_bytes as f64 / MB;
        rows.push(Row::new(
            Device,
            format!("MB of the binary, profile {profile}"),
            once(size),
        ));
    }
    rows
}
