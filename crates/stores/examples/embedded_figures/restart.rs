//! From start to the first session, after a death and after a proper end.

use std::path::Path;
use std::time::Instant;

use cloakroom_core::SessionId;
use cloakroom_core::store::Store as _;
use cloakroom_stores::embedded::Options;
use tempfile::TempDir;

use crate::report::Report;
use crate::samples::{fill, open, record, runtime};

/// What the program is told where it is to fill a store and die.
pub(crate) const FILL: &str = "fill";

pub(crate) fn fill_and_die(folder: &Path, sessions: usize) {
    const AT_ONCE: usize = 10_000;
    runtime().block_on(async {
        let store = open(folder, Options::default());
        let mut ids = Vec::new();
        for from in (0..sessions).step_by(AT_ONCE) {
            let some = from..sessions.min(from + AT_ONCE);
            ids = fill(&store, some.map(record).collect()).await;
        }
        std::fs::write(folder.join("id"), ids[0].as_bytes()).unwrap();
        std::process::abort();
    });
}

pub(crate) fn measure(report: &mut Report, sessions: usize) {
    let folder = TempDir::new_in(".").unwrap();
    let fill = std::process::Command::new(std::env::current_exe().unwrap())
        .args([FILL.as_ref(), folder.path().as_os_str()])
        .arg(sessions.to_string())
        .status();
    assert!(!fill.unwrap().success());
    let id = std::fs::read(folder.path().join("id")).unwrap();
    let id = SessionId::from_bytes(id.try_into().unwrap());
    let file = folder.path().join("sessions.redb").metadata().unwrap();
    report.add("file_bytes_a_session", file.len() as f64 / sessions as f64);
    for (opened_key, loaded_key) in [
        ("open_after_death_ms", "load_after_death_ms"),
        ("open_after_close_ms", "load_after_close_ms"),
    ] {
        let start = Instant::now();
        let store = open(folder.path(), Options::default());
        let opened = start.elapsed();
        let found = runtime().block_on(store.load(id));
        let loaded = start.elapsed();
        assert!(found.unwrap().is_some());
        report.add(opened_key, opened.as_secs_f64() * 1000.0);
        report.add(loaded_key, loaded.as_secs_f64() * 1000.0);
    }
}
