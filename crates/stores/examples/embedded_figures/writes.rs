//! Durable writes: the store and the engine in turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::record::Activity;
use cloakroom_core::store::{Expect, Store as _};
use cloakroom_core::{SessionId, SubjectLimit};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::engine::Engine;
use crate::report::{Clock, Report};
use crate::samples::{NOW, edit, fill, open, record, runtime};

pub(crate) fn measure(report: &mut Report) {
    let runtime = runtime();
    let folder = TempDir::new_in(".").unwrap();
    let store = open(folder.path(), Options::default());
    let engine = Engine::new();
    report.rate("engine_row_1", |end| engine.create_row(end));
    for (clients, keys) in [
        (1, ("engine_create_1", "store_create_1", "create_1_ratio")),
        (
            32,
            ("engine_create_32", "store_create_32", "create_32_ratio"),
        ),
    ] {
        let mut engine = Engine::new();
        report.compare(
            Clock::Wall,
            keys,
            |end| engine.create(clients, end),
            |end| create(&runtime, &store, clients, end),
        );
    }
    report.rate("store_create_256", |end| create(&runtime, &store, 256, end));
    let ids: Arc<[SessionId]> = runtime
        .block_on(fill(&store, (0..1000).map(record).collect()))
        .into();
    for (clients, key) in [(1, "store_update_1"), (32, "store_update_32")] {
        report.rate(key, |end| update(&runtime, &store, &ids, clients, end));
    }
    report.rate("store_touch_2", |end| touch(&runtime, &store, &ids, end));
}

/// `clients` tasks that do `work` until `end`; answers how often.
fn at_once<F, R>(runtime: &Runtime, clients: usize, end: Instant, work: F) -> usize
where
    F: Fn(usize) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let (work, done) = (work.clone(), Arc::clone(&done));
            runtime.spawn(async move {
                while Instant::now() < end {
                    work(done.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    for client in clients {
        runtime.block_on(client).unwrap();
    }
    done.load(Ordering::Relaxed)
}

fn create(runtime: &Runtime, store: &Arc<EmbeddedStore>, clients: usize, end: Instant) -> usize {
    let store = Arc::clone(store);
    at_once(runtime, clients, end, move |number| {
        let store = Arc::clone(&store);
        async move {
            let limit = SubjectLimit::NONE;
            store.create(record(number), limit, NOW).await.unwrap();
        }
    })
}

fn update(
    runtime: &Runtime,
    store: &Arc<EmbeddedStore>,
    ids: &Arc<[SessionId]>,
    clients: usize,
    end: Instant,
) -> usize {
    let (store, ids) = (Arc::clone(store), Arc::clone(ids));
    at_once(runtime, clients, end, move |number| {
        let (store, id) = (Arc::clone(&store), ids[number % ids.len()]);
        async move {
            let (expect, none) = (Expect::Security(1), SubjectLimit::NONE);
            let done = store.update(id, expect, edit(number), none, NOW);
            done.await.unwrap();
        }
    })
}

fn touch(
    runtime: &Runtime,
    store: &Arc<EmbeddedStore>,
    ids: &Arc<[SessionId]>,
    end: Instant,
) -> usize {
    let (store, ids) = (Arc::clone(store), Arc::clone(ids));
    at_once(runtime, 2, end, move |number| {
        let (store, id) = (Arc::clone(&store), ids[number % ids.len()]);
        async move {
            let at = NOW.plus(Duration::from_millis(number as u64));
            let activity = Activity {
                last_seen: at,
                idle_deadline: at.plus(Duration::from_secs(1800)),
            };
            store.touch(id, activity, NOW).await.unwrap();
        }
    })
}
