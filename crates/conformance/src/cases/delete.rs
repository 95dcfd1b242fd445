//! Ending: S-12, S-13.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::store::{Clock, Deleted, Expect, Store as _, SweptSession, Touched, Updated};
use cloakroom_core::{Activity, SubjectLimit};

use crate::fixture::Fixture;
use crate::kit::{self, create, load, together, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

/// S-12: an ended session is gone from everywhere, its last record is answered once.
pub async fn s_12_delete_removes_the_record_and_its_index<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let record = Sample::new(now).of("ann", epoch).record();
    let other = Sample::new(now).of("ann", epoch).record();
    create(&*store, &record, now).await?;
    create(&*store, &other, now).await?;
    let last = update(
        &*store,
        record.id,
        Expect::Version(1),
        samples::set("a", 1),
        now,
    )
    .await?;
    let told = answers!(store.delete(record.id).await?, Deleted::Done(told) => told, "delete");
    ensure_eq!(*told, *last, "the last record");
    ensure!(
        store.load(record.id).await?.is_none(),
        "an ended session is kept"
    );
    answers!(store.delete(record.id).await?, Deleted::Absent => (), "delete once more");
    answers!(store.delete(samples::id()).await?, Deleted::Absent => (), "delete of nothing");
    let left = kit::list_all(&*store, &kit::everywhere("ann"), 10, now).await?;
    ensure_eq!(left, vec![other.id], "sessions listed after one ended");
    ensure!(
        kit::opens(&*store, &other, now).await?,
        "another session ended too"
    );
    Ok(())
}

/// S-12: updates and touches that race with the end never bring the session back, and the last record that `delete`
/// answers has every update that succeeded.
pub async fn s_12_racing_writes_never_resurrect<F: Fixture>(fixture: F) -> Checked {
    const WRITERS: usize = 6;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let strict = kit::linearizable(&fixture).is_ok();
    let later = Activity {
        last_seen: now.plus(Duration::from_secs(90)),
        idle_deadline: now.plus(samples::IDLE * 2),
    };
    for _ in 0..kit::rounds(25) {
        let record = Sample::new(now).record();
        create(&*handles[0], &record, now).await?;
        let answers = together(WRITERS, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            async move {
                if number == 0 {
                    tokio::task::yield_now().await;
                    return match store.delete(record.id).await? {
                        Deleted::Done(last) => Ok((0, Some(last.version))),
                        Deleted::Absent => {
                            Err(Stop::Failed("the only delete found nothing".into()))
                        }
                    };
                }
                let mut written = 0;
                for _ in 0..4 {
                    let change = samples::set(&format!("n{number}"), 1);
                    let expect = Expect::Security(1);
                    let answer = store
                        .update(record.id, expect, change, SubjectLimit::NONE, now)
                        .await?;
                    written += u64::from(matches!(answer, Updated::Done { .. }));
                    store.touch(record.id, later, now).await?;
                }
                Ok((written, None))
            }
        })
        .await?;
        for store in &handles {
            store.flush().await?;
            ensure!(
                store.load(record.id).await?.is_none(),
                "a deleted session came back"
            );
        }
        let written: u64 = answers.iter().map(|(written, _)| written).sum();
        let last = answers.iter().find_map(|(_, last)| *last);
        if strict {
            ensure_eq!(last, Some(1 + written), "the version of the last record");
        }
    }
    Ok(())
}

/// S-13: a sweep clears what is past its deadline and nothing else, and names it.
pub async fn s_13_sweep_clears_only_what_expired<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let hour = Duration::from_secs(3600);
    let idle = Sample::new(start)
        .of("ann", epoch)
        .timeouts(hour, hour * 9)
        .record();
    let absolute = Sample::new(start).timeouts(hour * 9, hour).record();
    let touched = Sample::new(start).timeouts(hour, hour * 9).record();
    let long = Sample::new(start)
        .of("ann", epoch)
        .timeouts(hour * 2, hour * 9)
        .record();
    for record in [&idle, &absolute, &touched, &long] {
        create(&*store, record, start).await?;
    }
    let half = start.plus(hour / 2);
    let activity = Activity {
        last_seen: half,
        idle_deadline: half.plus(hour),
    };
    let answer = store.touch(touched.id, activity, start).await?;
    ensure_eq!(answer, Touched::Done, "touch of a live session");
    let swept = store.sweep(fixture.now(), 100).await?;
    ensure!(swept.removed.is_empty(), "a sweep cleared live sessions");
    fixture.advance(hour).await;
    let cleared = sweep_all(&fixture, 100).await?;
    let wanted = BTreeMap::from([
        (idle.id, (Some(samples::subject("ann")), idle.deadline())),
        (absolute.id, (None, absolute.deadline())),
    ]);
    let found: BTreeMap<_, _> = cleared
        .into_iter()
        .map(|session| (session.id, (session.subject, session.deadline)))
        .collect();
    ensure_eq!(found, wanted, "what a sweep cleared");
    for record in [&idle, &absolute] {
        ensure!(
            store.load(record.id).await?.is_none(),
            "a swept session is kept"
        );
    }
    let now = fixture.now();
    for record in [&touched, &long] {
        ensure!(
            kit::opens(&*store, record, now).await?,
            "a live session was swept"
        );
    }
    let listed = kit::list_all(&*store, &kit::everywhere("ann"), 10, now).await?;
    ensure_eq!(listed, vec![long.id], "sessions listed after a sweep");
    Ok(())
}

/// S-13: a sweep keeps to its limit, says that more is left, and sweeps on reach everything without a load.
pub async fn s_13_sweeps_are_bounded_and_reach_everything<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let mut ids = Vec::new();
    for _ in 0..25 {
        let record = Sample::new(start).of("ann", epoch).record();
        create(&*store, &record, start).await?;
        ids.push(record.id);
    }
    fixture
        .advance(samples::IDLE + Duration::from_secs(60))
        .await;
    let cleared = sweep_all(&fixture, 10).await?;
    let cleared = kit::sorted(cleared.into_iter().map(|session| session.id));
    ensure_eq!(
        cleared,
        kit::sorted(ids.iter().copied()),
        "what sweeps cleared"
    );
    for id in ids {
        ensure!(
            store.load(id).await?.is_none(),
            "an expired session is kept"
        );
    }
    Ok(())
}

/// Sweeps until nothing is left, each within `limit`.
async fn sweep_all<F: Fixture>(fixture: &F, limit: usize) -> Result<Vec<SweptSession>, Stop> {
    let store = fixture.store();
    let mut cleared = Vec::new();
    for _ in 0..1000 {
        let swept = store.sweep(fixture.now(), limit).await?;
        ensure!(
            swept.removed.len() <= limit,
            "a sweep cleared more than its limit"
        );
        cleared.extend(swept.removed);
        if !swept.more {
            return Ok(cleared);
        }
    }
    Err(Stop::Failed("sweeps never end".into()))
}

/// S-13: a session whose touch was answered is not swept by the deadline that it had before, even where both race.
pub async fn s_13_a_sweep_racing_touches_ends_no_live_session<F: Fixture>(fixture: F) -> Checked {
    const SESSIONS: usize = 8;
    kit::linearizable(&fixture)?;
    let handles = kit::handles(&fixture)?;
    if handles[0].profile().clock == Clock::Store {
        return Err(Stop::Skipped("the store's own clock sets the order"));
    }
    for _ in 0..kit::rounds(10) {
        let start = fixture.now();
        let records: Vec<_> = (0..SESSIONS).map(|_| Sample::new(start).record()).collect();
        for record in &records {
            create(&*handles[0], record, start).await?;
        }
        let deadline = records[0].deadline();
        let before = deadline.minus(Duration::from_secs(60));
        let kept = Activity {
            last_seen: before,
            idle_deadline: before.plus(samples::IDLE),
        };
        let ids: Vec<_> = records.iter().map(|record| record.id).collect();
        let touched = together(SESSIONS + 1, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            let id = ids.get(number).copied();
            async move {
                let Some(id) = id else {
                    store.sweep(deadline, 100).await?;
                    return Ok(None);
                };
                let answer = store.touch(id, kept, before).await?;
                Ok((answer == Touched::Done).then_some(id))
            }
        })
        .await?;
        for id in touched.into_iter().flatten() {
            let left = load(&*handles[0], id).await?.record;
            ensure_eq!(
                left.activity,
                kept,
                "a touch that was answered before a sweep"
            );
        }
    }
    Ok(())
}
