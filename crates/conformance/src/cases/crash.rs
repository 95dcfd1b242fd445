//! What survives a crash: S-15, S-18, I-08, G-03, R-08.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::store::{
    Created, Expect, Expected, Kind, Put, Refusal, Registry as _, ReplayGuard as _, Scope,
    Store as _, SubjectIndex as _, Updated,
};
use cloakroom_core::{Activity, SubjectLimit};

use crate::fixture::Fixture;
use crate::kit::{self, create, everywhere, list_all, load, sorted, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

/// S-15: creates, updates, logins, ends and a flushed touch that were acknowledged survive a crash, and another.
pub async fn s_15_what_was_acknowledged_survives<F: Fixture>(mut fixture: F) -> Checked {
    kit::durable(&fixture)?;
    let now = fixture.now();
    let (created, changed, logged_in, ended, touched);
    {
        let store = fixture.store();
        let epoch = kit::epoch(&*store).await?;
        let plain = Sample::new(now).data(samples::hostile_edits());
        let records: Vec<_> = (0..5).map(|_| plain.record()).collect();
        for record in &records {
            create(&*store, record, now).await?;
        }
        created = records[0].clone();
        let change = samples::set("a", 1);
        changed = update(&*store, records[1].id, Expect::Version(1), change, now).await?;
        let change = kit::login(&records[2], "ann", epoch, now);
        logged_in = update(&*store, records[2].id, Expect::Version(1), change, now).await?;
        ended = records[3].id;
        store.delete(ended).await?;
        let mut record = records[4].clone();
        record.activity = Activity {
            last_seen: now.plus(Duration::from_secs(60)),
            idle_deadline: now.plus(samples::IDLE * 2),
        };
        store.touch(record.id, record.activity, now).await?;
        store.flush().await?;
        touched = record;
    }
    for crashes in 1..=2 {
        kit::crash(&mut fixture).await?;
        let store = fixture.store();
        for wanted in [&created, &*changed, &*logged_in, &touched] {
            let found = load(&*store, wanted.id).await?.record;
            ensure_eq!(*found, *wanted, "a record after {crashes} crashes");
        }
        ensure!(
            store.load(ended).await?.is_none(),
            "an ended session came back by a crash"
        );
        let listed = list_all(&*store, &everywhere("ann"), 10, now).await?;
        ensure_eq!(listed, vec![logged_in.id], "the listing after a crash");
        let all = list_all(&*store, &Scope::Everything, 2, now).await?;
        let kept = [created.id, changed.id, logged_in.id, touched.id];
        ensure_eq!(all, sorted(kept), "all sessions after a crash");
    }
    Ok(())
}

/// S-15: writers that are interrupted by a crash: what they were told is there, what they were not told is there whole
/// or not at all, and versions go on upward.
pub async fn s_15_a_crash_among_writers_loses_nothing<F: Fixture>(mut fixture: F) -> Checked {
    const WRITERS: usize = 4;
    kit::durable(&fixture)?;
    let now = fixture.now();
    for round in 0..kit::rounds(4) as u64 {
        let records: Vec<_> = (0..WRITERS).map(|_| Sample::new(now).record()).collect();
        let told: Vec<_> = (0..WRITERS).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let mut tasks = Vec::new();
        for (record, told) in records.iter().zip(&told) {
            let (store, record, told) = (fixture.store(), record.clone(), Arc::clone(told));
            tasks.push(tokio::spawn(async move {
                create(&*store, &record, now).await?;
                for count in 1.. {
                    let edits = samples::edits([("left", count), ("right", count)]);
                    let change = cloakroom_core::Change::of_data(edits);
                    update(&*store, record.id, Expect::Version(count), change, now).await?;
                    told.store(count, Ordering::SeqCst);
                    // A store that never waits would never let the task be stopped.
                    tokio::task::yield_now().await;
                }
                Ok::<_, Stop>(())
            }));
        }
        tokio::time::sleep(Duration::from_millis(5 + round * 7)).await;
        for task in tasks {
            task.abort();
            if let Ok(Err(stop)) = task.await {
                return Err(stop);
            }
        }
        kit::crash(&mut fixture).await?;
        let store = fixture.store();
        for (record, told) in records.iter().zip(&told) {
            let told = told.load(Ordering::SeqCst);
            let Some(loaded) = store.load(record.id).await? else {
                ensure_eq!(
                    told,
                    0,
                    "updates acknowledged on a session that a crash lost"
                );
                continue;
            };
            let kept = loaded.record;
            let left: u64 = kept
                .data
                .get("left")
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
            ensure!(
                left >= told,
                "update {told} was acknowledged, a crash left {left}"
            );
            ensure_eq!(
                kept.data.get("left"),
                kept.data.get("right"),
                "two names of one change"
            );
            ensure_eq!(kept.version, left + 1, "the version of what a crash left");
        }
    }
    Ok(())
}

/// S-18: what a reader saw was durable: after a crash no session is at a version before one that was read.
pub async fn s_18_what_was_seen_survives<F: Fixture>(mut fixture: F) -> Checked {
    kit::durable(&fixture)?;
    kit::linearizable(&fixture)?;
    let now = fixture.now();
    for round in 0..kit::rounds(6) as u64 {
        let record = Sample::new(now).record();
        create(&*fixture.store(), &record, now).await?;
        let handles = kit::handles(&fixture)?;
        let writer = {
            let (store, id) = (Arc::clone(&handles[0]), record.id);
            tokio::spawn(async move {
                for count in 1.. {
                    let change = samples::set("count", count);
                    update(&*store, id, Expect::Version(count), change, now).await?;
                    tokio::task::yield_now().await;
                }
                Ok::<_, Stop>(())
            })
        };
        let seen = Arc::new(AtomicU64::new(0));
        let reader = {
            let (store, seen, id) = (handles[handles.len() - 1].clone(), seen.clone(), record.id);
            tokio::spawn(async move {
                loop {
                    let version = load(&*store, id).await?.record.version;
                    seen.store(version, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    if version == u64::MAX {
                        return Ok::<_, Stop>(());
                    }
                }
            })
        };
        drop(handles);
        tokio::time::sleep(Duration::from_millis(4 + round * 5)).await;
        for task in [writer, reader] {
            task.abort();
            if let Ok(Err(stop)) = task.await {
                return Err(stop);
            }
        }
        kit::crash(&mut fixture).await?;
        let kept = load(&*fixture.store(), record.id).await?.record.version;
        let seen = seen.load(Ordering::SeqCst);
        ensure!(kept >= seen, "version {seen} was read, a crash left {kept}");
    }
    Ok(())
}

/// I-08: a not-before survives a crash, for every scope, and the epoch does not go back.
pub async fn i_08_a_not_before_survives<F: Fixture>(mut fixture: F) -> Checked {
    kit::durable(&fixture)?;
    let now = fixture.now();
    let before = kit::epoch(&*fixture.store()).await?;
    let scopes = [
        everywhere("ann"),
        Scope::App(samples::app("shop")),
        Scope::Subject {
            app: Some(samples::app("forum")),
            subject: samples::subject("ben"),
        },
    ];
    let mut raised = before;
    for scope in scopes {
        let store = fixture.store();
        raised = store.revoke_all(scope, None, now).await?.epoch;
    }
    kit::crash(&mut fixture).await?;
    let store = fixture.store();
    let after = kit::epoch(&*store).await?;
    ensure!(after >= raised, "the epoch went back by a crash");
    let stale = |subject| Sample::new(now).of(subject, before);
    for late in [
        stale("ann"),
        stale("eve").app("shop"),
        stale("ben").app("forum"),
    ] {
        let answer = store.create(late.record(), SubjectLimit::NONE, now).await?;
        answers!(
            answer,
            Created::Refused(Refusal::Revoked) => (),
            "a login from before a revocation, after a crash"
        );
    }
    create(&*store, &stale("ben").record(), now).await?;
    let fresh = Sample::new(now).of("ann", after).record();
    create(&*store, &fresh, now).await?;
    store.revoke_all(Scope::Everything, None, now).await?;
    drop(store);
    kit::crash(&mut fixture).await?;
    let store = fixture.store();
    ensure!(
        !kit::opens(&*store, &fresh, now).await?,
        "a revoked session opens after a crash"
    );
    let change = samples::set("a", 1);
    let answer = store
        .update(
            fresh.id,
            Expect::Security(1),
            change,
            SubjectLimit::NONE,
            now,
        )
        .await?;
    answers!(answer, Updated::Gone => (), "update of a revoked session after a crash");
    Ok(())
}

/// G-03: a key that was seen stays seen after a crash.
pub async fn g_03_a_seen_key_survives<F: Fixture>(mut fixture: F) -> Checked {
    kit::durable(&fixture)?;
    let now = fixture.now();
    let until = now.plus(Duration::from_secs(600));
    let first = fixture.store().first_seen(b"key", until, now).await?;
    ensure!(first, "a key is not new at first");
    kit::crash(&mut fixture).await?;
    let store = fixture.store();
    ensure!(
        !store.first_seen(b"key", until, now).await?,
        "a key is new again after a crash"
    );
    Ok(())
}

/// what the registry acknowledged survives a crash, removals included, and versions go on upward.
pub async fn r_08_the_registry_survives<F: Fixture>(mut fixture: F) -> Checked {
    kit::durable(&fixture)?;
    let registry = kit::registry(&fixture)?;
    let now = fixture.now();
    let value = Bytes::from_static(b"\x00\xff value");
    let mut versions = Vec::new();
    for (name, expires) in [
        ("kept", None),
        ("until", Some(now.plus(samples::IDLE))),
        ("gone", None),
    ] {
        let value = Some(value.clone());
        let put = registry
            .put(Kind::User, name, Expected::Absent, value, expires, now)
            .await?;
        versions.push(answers!(put, Put::Done(version) => version, "a new entry"));
    }
    let expected = Expected::Version(versions[2]);
    let put = registry
        .put(Kind::User, "gone", expected, None, None, now)
        .await?;
    answers!(put, Put::Done(_) => (), "a removal");
    drop(registry);
    kit::crash(&mut fixture).await?;
    let registry = kit::registry(&fixture)?;
    let entries = registry.list(Kind::User, None, 10, now).await?;
    let names: Vec<_> = entries.iter().map(|entry| &*entry.name).collect();
    ensure_eq!(names, vec!["kept", "until"], "entries after a crash");
    ensure!(
        entries.iter().all(|entry| entry.value == value),
        "a value changed by a crash"
    );
    ensure_eq!(entries[0].version, versions[0], "a version after a crash");
    let put = registry
        .put(Kind::User, "gone", Expected::Absent, Some(value), None, now)
        .await?;
    let version = answers!(put, Put::Done(version) => version, "an entry anew");
    ensure!(
        version > versions[2],
        "a version repeats after removal and crash"
    );
    Ok(())
}
