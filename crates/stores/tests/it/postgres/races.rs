//! Races between nodes: none deadlocks, and each loser is the right one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::policy::OnFull;
use cloakroom_core::store::{Expect, Scope, Store as _, StoreError, SubjectIndex as _, Touched};
use cloakroom_core::{Activity, SessionId, SubjectLimit};
use cloakroom_stores::sql::postgres::{Options, PostgresStore};
use cloakroom_test_servers::postgres::Postgres;
use tokio::task::JoinSet;

use super::kit::{NONE, ann, create, login, now, two, url};
use crate::soak;

/// Everything that takes more than one lock, at once, on few sessions and subjects.
async fn storm(
    store: Arc<PostgresStore>,
    ids: Arc<[SessionId]>,
    turns: u64,
) -> Result<(), StoreError> {
    const LIMIT: SubjectLimit = SubjectLimit {
        max: Some(1),
        on_full: OnFull::EndOldest,
    };
    for turn in 0..turns {
        let id = ids[usize::try_from(rand::random::<u64>() % ids.len() as u64).unwrap()];
        let subject = ["ann", "ben"][usize::from(rand::random::<bool>())];
        match rand::random::<u8>() % 16 {
            0 => drop(store.revoke_all(ann(), Some(id), now()).await?),
            1 => drop(store.sweep(now(), 50).await?),
            2 => drop(store.delete(id).await?),
            3 => {
                let mut record = Sample::new(now())
                    .of(subject, store.epoch().await?)
                    .record();
                record.id = id;
                store.create(record, LIMIT, now()).await?;
            }
            4..13 => {
                if let Some(loaded) = store.load(id).await? {
                    let change = login(&store, &loaded.record, subject).await;
                    let expect = Expect::Version(loaded.record.version);
                    store.update(id, expect, change, LIMIT, now()).await?;
                }
            }
            _ => {
                let change = samples::set("a", turn);
                store
                    .update(id, Expect::Security(1), change, NONE, now())
                    .await?;
                let activity = Sample::new(now()).record().activity;
                store.touch(id, activity, now()).await?;
                store.flush().await?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_logins_revocations_and_sweeps_never_deadlocks() {
    let (one, other, _, _using) = two().await;
    let ids: Arc<[SessionId]> = (0..6).map(|_| Sample::new(now()).record().id).collect();
    let mut storms = JoinSet::new();
    for store in [Arc::new(one), Arc::new(other)] {
        for _ in 0..12 {
            storms.spawn(storm(
                Arc::clone(&store),
                Arc::clone(&ids),
                soak(60, 2000) as u64,
            ));
        }
    }
    for answer in storms.join_all().await {
        answer.unwrap();
    }
    let log = Postgres::shared().log();
    assert!(!log.contains("deadlock detected"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_ends_nothing_that_a_touch_kept_alive() {
    let (store, _, schema, _using) = two().await;
    // A node whose time is past the deadlines.
    let url = format!(
        "{}&deadline=20s",
        url(Postgres::shared().address(), &schema)
    );
    let options = Options::from_url(&url).unwrap();
    let ahead = i64::try_from((samples::IDLE + Duration::from_secs(60)).as_millis()).unwrap();
    options.clock_offset.store(ahead, Ordering::Relaxed);
    let sweeper = Arc::new(PostgresStore::connect(options).await.unwrap());
    let store = Arc::new(store);
    for _ in 0..soak(8, 200) {
        let started = now();
        let kept = Activity {
            last_seen: started,
            idle_deadline: started.plus(samples::IDLE * 3),
        };
        let mut making = JoinSet::new();
        for _ in 0..100 {
            let (store, record) = (Arc::clone(&store), Sample::new(started).record());
            making.spawn(async move {
                create(&store, &record).await;
                record.id
            });
        }
        let ids = making.join_all().await;
        let mut work = JoinSet::new();
        for id in ids {
            let store = Arc::clone(&store);
            work.spawn(async move {
                let touched = store.touch(id, kept, started).await.unwrap();
                (touched == Touched::Done).then_some(id)
            });
        }
        let sweeping = Arc::clone(&sweeper);
        work.spawn(async move {
            for _ in 0..4 {
                sweeping.sweep(now(), 100).await.unwrap();
            }
            None
        });
        for id in work.join_all().await.into_iter().flatten() {
            let left = store
                .load(id)
                .await
                .unwrap()
                .map(|left| left.record.activity);
            assert_eq!(left, Some(kept), "a touch that was answered");
        }
    }
}

/// Each of two logins ends the session that the other logs in: whoever came first to his own row would hold what the
/// other needs.
#[tokio::test(flavor = "multi_thread")]
async fn logins_that_end_each_others_session_never_deadlock() {
    const ONE: SubjectLimit = SubjectLimit {
        max: Some(1),
        on_full: OnFull::EndOldest,
    };
    let (one, other, _, _using) = two().await;
    let nodes = [Arc::new(one), Arc::new(other)];
    for _ in 0..soak(60, 2000) {
        let epoch = nodes[0].epoch().await.unwrap();
        let mut logins = JoinSet::new();
        let started = Arc::new(tokio::sync::Barrier::new(2));
        let mut changes = Vec::new();
        for (from, to) in [("ann", "ben"), ("ben", "ann")] {
            let record = Sample::new(now()).of(from, epoch).record();
            create(&nodes[0], &record).await;
            changes.push((record.id, login(&nodes[0], &record, to).await));
        }
        for ((id, change), node) in changes.into_iter().zip(&nodes) {
            let (node, started) = (Arc::clone(node), Arc::clone(&started));
            logins.spawn(async move {
                // What it is computed from is read before.
                node.load(id).await.unwrap();
                started.wait().await;
                let expect = Expect::Security(1);
                node.update(id, expect, change, ONE, now()).await.unwrap();
            });
        }
        logins.join_all().await;
        nodes[0]
            .revoke_all(Scope::Everything, None, now())
            .await
            .unwrap();
    }
    assert!(!Postgres::shared().log().contains("deadlock detected"));
}
