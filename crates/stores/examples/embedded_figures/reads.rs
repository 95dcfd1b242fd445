//! Reads: from the hot map and from the file, beside the engine's lookup and a decoded record.

use std::sync::Arc;
use std::time::Instant;

use cloakroom_core::SessionId;
use cloakroom_core::store::Store as _;
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::engine::Engine;
use crate::report::{Clock, Report};
use crate::samples::{fill, open, record, runtime};

const SESSIONS: usize = 50_000;

pub(crate) fn measure(report: &mut Report) {
    let runtime = runtime();
    let records: Vec<_> = (0..SESSIONS).map(record).collect();
    let engine = Engine::new();
    engine.write(&records);
    for (hot_bytes, keys) in [
        (
            256 << 20,
            ("engine_get", "store_load_hot", "load_hot_ratio"),
        ),
        (0, ("engine_get", "store_load_file", "load_file_ratio")),
    ] {
        let folder = TempDir::new_in(".").unwrap();
        let options = Options {
            hot_bytes,
            cache_bytes: 256 << 20,
            ..Options::default()
        };
        let store = open(folder.path(), options);
        let ids = runtime.block_on(fill(&store, records.clone()));
        report.compare(
            Clock::Cpu,
            keys,
            |end| engine.get(&ids, end),
            |end| load(&runtime, &store, &ids, end),
        );
    }
}

fn load(runtime: &Runtime, store: &Arc<EmbeddedStore>, ids: &[SessionId], end: Instant) -> usize {
    runtime.block_on(async {
        let mut count = 0;
        while Instant::now() < end {
            for _ in 0..256 {
                let found = store.load(ids[count * 7919 % ids.len()]).await;
                std::hint::black_box(found.unwrap().unwrap());
                count += 1;
            }
        }
        count
    })
}
