//! Changing records: S-04, S-05, S-06, S-08, S-09, and what a dropped future leaves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::record::Device;
use cloakroom_core::store::{Deleted, Expect, Store as _, Touched, Updated};
use cloakroom_core::{Activity, Change, Edits, SubjectLimit};

use crate::fixture::Fixture;
use crate::kit::{self, create, load, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

/// S-04: edits, units and the next version are written in one step, and the answer is what is kept.
pub async fn s_04_update_answers_what_is_kept<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now)
        .data(samples::edits([
            ("kept", 1),
            ("changed", 1),
            ("removed", 1),
        ]))
        .record();
    create(&*store, &record, now).await?;
    let mut edits = samples::edits([("changed", 2), ("added", 2)]);
    edits.remove("removed");
    edits.remove("never there");
    let change = Change {
        edits,
        device: Some(Device {
            label: Some("the kitchen".into()),
            ..Device::default()
        }),
        ..Change::default()
    };
    let wanted = record.apply(&change);
    let answer = update(&*store, record.id, Expect::Version(1), change, now).await?;
    ensure_eq!(*answer, wanted, "the answer to update");
    ensure_eq!(answer.version, 2, "the version after one update");
    ensure_eq!(
        *load(&*store, record.id).await?.record,
        wanted,
        "the record after update"
    );
    Ok(())
}

/// S-04: `clear` takes every name, and edits after it count.
pub async fn s_04_clear_takes_every_name<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).data(samples::hostile_edits()).record();
    create(&*store, &record, now).await?;
    let mut edits = Edits::new();
    edits.clear();
    edits.set("left", samples::number(1));
    let change = Change::of_data(edits);
    update(&*store, record.id, Expect::Security(1), change, now).await?;
    let loaded = load(&*store, record.id).await?.record;
    ensure_eq!(
        loaded.data.iter().collect::<Vec<_>>(),
        vec![("left", "1")],
        "the data after clear"
    );
    Ok(())
}

/// S-04: a new security block replaces the old one whole.
pub async fn s_04_the_security_block_is_replaced_whole<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).record();
    create(&*store, &record, now).await?;
    let epoch = kit::epoch(&*store).await?;
    let change = kit::login(&record, "ann", epoch, now);
    let wanted = record.apply(&change);
    let answer = update(&*store, record.id, Expect::Security(1), change, now).await?;
    ensure_eq!(*answer, wanted, "the answer to a login");
    ensure_eq!(
        *load(&*store, record.id).await?.record,
        wanted,
        "the record after a login"
    );
    ensure!(
        !kit::opens(&*store, &record, now).await?,
        "the secret before the login still opens the session"
    );
    ensure!(
        kit::opens(&*store, &wanted, now).await?,
        "the new secret does not"
    );
    Ok(())
}

/// S-05: an expectation that does not hold is answered with the newer record, and nothing changes.
pub async fn s_05_conflict_answers_newer<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).record();
    create(&*store, &record, now).await?;
    let epoch = kit::epoch(&*store).await?;
    let login = kit::login(&record, "ann", epoch, now);
    let newer = update(&*store, record.id, Expect::Version(1), login, now).await?;
    for stale in [
        Expect::Version(1),
        Expect::Version(0),
        Expect::Version(3),
        Expect::Security(1),
        Expect::Security(3),
    ] {
        let answer = store
            .update(
                record.id,
                stale,
                samples::set("a", 1),
                SubjectLimit::NONE,
                now,
            )
            .await?;
        let told = answers!(answer, Updated::Conflict(loaded) => loaded, "update with {stale:?}");
        ensure_eq!(*told.record, *newer, "the record in a conflict");
        ensure_eq!(
            *load(&*store, record.id).await?.record,
            *newer,
            "the record after a conflict"
        );
    }
    Ok(())
}

/// S-06: neither `update` nor `touch` makes a session, whether it never was or has ended.
pub async fn s_06_update_and_touch_never_create<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let ended = Sample::new(now).record();
    create(&*store, &ended, now).await?;
    answers!(store.delete(ended.id).await?, Deleted::Done(_) => (), "delete of a session");
    let activity = Activity {
        last_seen: now.plus(Duration::from_secs(60)),
        idle_deadline: now.plus(samples::IDLE * 2),
    };
    for id in [samples::id(), ended.id] {
        for expect in [Expect::Version(1), Expect::Security(1)] {
            let mut change = kit::login(&ended, "ann", kit::epoch(&*store).await?, now);
            change.activity = Some(activity);
            let answer = store
                .update(id, expect, change, SubjectLimit::NONE, now)
                .await?;
            answers!(answer, Updated::Gone => (), "update of an absent session");
        }
        let answer = store.touch(id, activity, now).await?;
        ensure_eq!(answer, Touched::Gone, "touch of an absent session");
        store.flush().await?;
        ensure!(
            store.load(id).await?.is_none(),
            "an absent session came to be"
        );
    }
    let left = kit::list_all(&*store, &kit::everywhere("ann"), 10, now).await?;
    ensure!(left.is_empty(), "an absent session is listed");
    Ok(())
}

/// S-08: of parallel updates that expect one version exactly one succeeds.
pub async fn s_08_one_winner_of_a_version<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let record = Sample::new(now).record();
    create(&*handles[0], &record, now).await?;
    for round in 1..=kit::rounds(20) as u64 {
        let won = kit::together(8, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            let change = samples::set("winner", number as u64);
            async move {
                let answer = store
                    .update(
                        record.id,
                        Expect::Version(round),
                        change,
                        SubjectLimit::NONE,
                        now,
                    )
                    .await?;
                Ok(matches!(answer, Updated::Done { .. }).then_some(number))
            }
        })
        .await?;
        let won: Vec<_> = won.into_iter().flatten().collect();
        ensure_eq!(won.len(), 1, "winners of version {round}");
        let loaded = load(&*handles[0], record.id).await?.record;
        ensure_eq!(loaded.version, round + 1, "the version after a race");
        let kept = loaded.data.get("winner").map(str::to_owned);
        ensure_eq!(kept, Some(won[0].to_string()), "the winner's value");
    }
    Ok(())
}

/// S-08: parallel increments by version, tried again on conflict: none is lost, each answers another version.
pub async fn s_08_no_increment_is_lost<F: Fixture>(fixture: F) -> Checked {
    const WRITERS: usize = 8;
    kit::linearizable(&fixture)?;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let each = kit::rounds(10);
    let record = Sample::new(now).record();
    create(&*handles[0], &record, now).await?;
    let versions = kit::together(WRITERS, |number| {
        let store = Arc::clone(&handles[number % handles.len()]);
        async move {
            let mut seen = Vec::new();
            let mut current = load(&*store, record.id).await?.record;
            while seen.len() < each {
                let count: u64 = read_count(&current)?;
                let answer = store
                    .update(
                        record.id,
                        Expect::Version(current.version),
                        samples::set("count", count + 1),
                        SubjectLimit::NONE,
                        now,
                    )
                    .await?;
                current = match answer {
                    Updated::Done { record, .. } => {
                        seen.push(record.version);
                        record
                    }
                    Updated::Conflict(newer) => newer.record,
                    other => return Err(Stop::Failed(format!("an increment: {other:?}"))),
                };
            }
            Ok(seen)
        }
    })
    .await?;
    let all: Vec<u64> = versions.concat();
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    ensure_eq!(distinct.len(), all.len(), "distinct versions");
    let count = read_count(&load(&*handles[0], record.id).await?.record)?;
    ensure_eq!(count, (WRITERS * each) as u64, "increments kept");
    Ok(())
}

fn read_count(record: &cloakroom_core::Record) -> Result<u64, Stop> {
    record
        .data
        .read("count")
        .map(Option::unwrap_or_default)
        .map_err(|error| Stop::Failed(format!("a count that is no number: {error}")))
}

/// S-09: parallel edits of different names that expect only the security version all succeed and survive.
pub async fn s_09_parallel_edits_of_different_names_survive<F: Fixture>(fixture: F) -> Checked {
    const WRITERS: usize = 16;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let record = Sample::new(now).record();
    create(&*handles[0], &record, now).await?;
    for round in 0..kit::rounds(10) as u64 {
        kit::together(WRITERS, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            let change = samples::set(&format!("name {number}"), round);
            async move {
                update(&*store, record.id, Expect::Security(1), change, now)
                    .await
                    .map(drop)
            }
        })
        .await?;
        let loaded = load(&*handles[0], record.id).await?.record;
        for number in 0..WRITERS {
            let name = format!("name {number}");
            let wanted = round.to_string();
            ensure_eq!(loaded.data.get(&name), Some(wanted.as_str()), "{name}");
        }
    }
    let loaded = load(&*handles[0], record.id).await?.record;
    let writes = (WRITERS * kit::rounds(10)) as u64;
    ensure_eq!(loaded.version, 1 + writes, "the version after all writes");
    Ok(())
}

/// S-04: a future that is dropped midway leaves its operation done whole or not at all, and the store usable.
pub async fn s_04_a_dropped_update_happened_whole_or_not<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).record();
    create(&*store, &record, now).await?;
    for round in 1..=kit::rounds(40) as u64 {
        let change = Change::of_data(samples::edits([("left", round), ("right", round)]));
        let work = store.update(
            record.id,
            Expect::Security(1),
            change,
            SubjectLimit::NONE,
            now,
        );
        poll_then_drop(work, round % 5, Duration::from_micros(round * 7)).await;
        let loaded = load(&*store, record.id).await?.record;
        let (left, right) = (loaded.data.get("left"), loaded.data.get("right"));
        ensure_eq!(
            left,
            right,
            "two names of one change after its future was dropped"
        );
    }
    let last = load(&*store, record.id).await?.record;
    let after = update(
        &*store,
        record.id,
        Expect::Security(1),
        samples::set("after", 1),
        now,
    )
    .await?;
    // A dropped update may still be on its way; it must not be undone by this one, nor undo it.
    ensure!(
        after.version > last.version,
        "the version after dropped updates"
    );
    let kept = load(&*store, record.id).await?.record;
    ensure_eq!(
        kept.data.get("after"),
        Some("1"),
        "a write after dropped updates"
    );
    Ok(())
}

/// Polls `work` at most `polls` times, with a pause after each, and drops it.
async fn poll_then_drop(work: impl Future, polls: u64, pause: Duration) {
    let mut work = std::pin::pin!(work);
    for _ in 0..polls {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        if work.as_mut().poll(&mut context).is_ready() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}
