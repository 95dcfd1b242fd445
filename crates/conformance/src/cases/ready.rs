//! When an answer comes and how old it may be: S-19, S-20.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use cloakroom_core::SubjectLimit;
use cloakroom_core::store::{Expect, ReplayGuard, Store, SubjectIndex};

use crate::fixture::Fixture;
use crate::kit;
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, ensure};

/// The answer of a future that is done at once.
fn at_once<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Stop> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending => Err(Stop::Failed(format!("{what} made its caller wait"))),
    }
}

/// S-19: of a store that declares itself ready, no operation waits, however many are under way.
pub async fn s_19_a_ready_store_is_done_at_the_first_poll<F: Fixture>(fixture: F) -> Checked {
    if !fixture.store().profile().ready {
        return Err(Stop::Skipped("the store does not declare itself ready"));
    }
    let (store, now) = (fixture.store(), fixture.now());
    kit::together(8, |number| {
        let store = Arc::clone(&store);
        async move {
            for round in 0..kit::rounds(20) as u64 {
                each_operation(&*store, &[round, number as u64], now)?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}

/// S-20: a fresh load shows what any handle wrote before it, and that a session is gone.
pub async fn s_20_a_fresh_load_is_never_old<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let record = Sample::new(now).record();
    let id = record.id;
    kit::create(&*handles[0], &record, now).await?;
    for round in 0..20 {
        let writer = &handles[round % handles.len()];
        // Whoever keeps records near has this one now.
        for store in &handles {
            store.load(id).await?;
        }
        let any = Expect::Security(1);
        let change = samples::set("round", round as u64);
        let written = kit::update(&**writer, id, any, change, now).await?;
        for store in &handles {
            let fresh = store.load_fresh(id).await?;
            let version = fresh.map(|loaded| loaded.record.version);
            ensure!(
                version == Some(written.version),
                "a fresh load shows version {version:?} after {} was written",
                written.version
            );
            let own = writer.load(id).await?.map(|loaded| loaded.record.version);
            ensure!(
                own == Some(written.version),
                "a handle does not see its own write"
            );
        }
    }
    handles[0].delete(id).await?;
    for store in &handles {
        ensure!(
            store.load_fresh(id).await?.is_none(),
            "a fresh load shows a session that was deleted"
        );
    }
    Ok(())
}

fn each_operation<S: Store + SubjectIndex + ReplayGuard>(
    store: &S,
    key: &[u64; 2],
    now: cloakroom_core::Timestamp,
) -> Checked {
    let (none, scope) = (SubjectLimit::NONE, kit::everywhere("ann"));
    let epoch = at_once("epoch", store.epoch())??;
    let record = Sample::new(now).of("ann", epoch).record();
    let (id, activity, until) = (record.id, record.activity, now.plus(samples::IDLE));
    at_once("create", store.create(record, none, now))??;
    at_once("load", store.load(id))??;
    at_once("load_fresh", store.load_fresh(id))??;
    let change = samples::set("a", 1);
    let security = Expect::Security(1);
    at_once("update", store.update(id, security, change, none, now))??;
    at_once("touch", store.touch(id, activity, now))??;
    at_once("list", store.list(scope.clone(), None, 10, now))??;
    let key = key.map(u64::to_be_bytes).concat();
    at_once("first_seen", store.first_seen(&key, until, now))??;
    at_once("delete", store.delete(id))??;
    at_once("revoke_all", store.revoke_all(scope, None, now))??;
    at_once("sweep", store.sweep(now, 10))??;
    at_once("flush", store.flush())??;
    Ok(())
}
