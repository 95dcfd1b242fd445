//! Uses and deadlines: S-10, S-11.

use std::time::Duration;

use cloakroom_core::store::{Expect, Store as _, Touched, Updated};
use cloakroom_core::{Activity, SubjectLimit, Timestamp};

use crate::fixture::Fixture;
use crate::kit::{self, create, load, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, answers, ensure, ensure_eq};

fn activity(last_seen: Timestamp) -> Activity {
    Activity {
        last_seen,
        idle_deadline: last_seen.plus(samples::IDLE),
    }
}

/// S-10: a touch moves the activity and nothing else.
pub async fn s_10_touch_moves_activity_alone<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).data(samples::edits([("a", 1)])).record();
    create(&*store, &record, now).await?;
    fixture.advance(Duration::from_secs(120)).await;
    let now = fixture.now();
    let answer = store.touch(record.id, activity(now), now).await?;
    ensure_eq!(answer, Touched::Done, "touch of a live session");
    store.flush().await?;
    let mut wanted = record.clone();
    wanted.activity = activity(now);
    ensure_eq!(
        *load(&*store, record.id).await?.record,
        wanted,
        "the record after a touch"
    );
    Ok(())
}

/// S-10: an earlier touch that comes late moves nothing back, by neither of its two times.
pub async fn s_10_touch_never_moves_back<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let record = Sample::new(start).record();
    create(&*store, &record, start).await?;
    fixture.advance(Duration::from_secs(600)).await;
    let now = fixture.now();
    store.touch(record.id, activity(now), now).await?;
    let earlier = now.minus(Duration::from_secs(300));
    let mixed = Activity {
        last_seen: now.minus(Duration::from_secs(1)),
        idle_deadline: start,
    };
    for late in [activity(earlier), mixed] {
        let answer = store.touch(record.id, late, now).await?;
        ensure_eq!(answer, Touched::Done, "a touch that comes late");
        store.flush().await?;
        let loaded = load(&*store, record.id).await?.record;
        ensure_eq!(
            loaded.activity,
            activity(now),
            "the activity after a late touch"
        );
    }
    Ok(())
}

/// S-10: an update that read the session before a touch does not shorten it again.
pub async fn s_10_update_keeps_a_later_touch<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).record();
    create(&*store, &record, now).await?;
    fixture.advance(Duration::from_secs(600)).await;
    let now = fixture.now();
    store.touch(record.id, activity(now), now).await?;
    let mut change = samples::set("a", 1);
    change.activity = Some(activity(now.minus(Duration::from_secs(300))));
    update(&*store, record.id, Expect::Version(1), change, now).await?;
    store.flush().await?;
    let loaded = load(&*store, record.id).await?.record;
    ensure_eq!(
        loaded.activity,
        activity(now),
        "the activity after an update"
    );
    ensure_eq!(loaded.version, 2, "the version after a touch and an update");
    Ok(())
}

/// S-11: past each of its deadlines a session is gone for `update` and `touch`, without a sweep.
pub async fn s_11_past_its_deadline_a_session_is_gone<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let hour = Duration::from_secs(3600);
    let idle = Sample::new(start).timeouts(hour, hour * 9).record();
    let absolute = Sample::new(start).timeouts(hour * 9, hour).record();
    let mut capped = Sample::new(start).timeouts(hour * 9, hour * 9).record();
    capped.security.hard_cap = start.plus(hour);
    let long = Sample::new(start).timeouts(hour * 9, hour * 9).record();
    let ending = [&idle, &absolute, &capped];
    for record in ending.into_iter().chain([&long]) {
        create(&*store, record, start).await?;
    }
    fixture.advance(hour).await;
    let now = fixture.now();
    let later = Activity {
        last_seen: now,
        idle_deadline: now.plus(hour * 5),
    };
    for record in ending {
        let answer = store.touch(record.id, later, now).await?;
        ensure_eq!(answer, Touched::Gone, "touch past a deadline");
        let mut change = samples::set("a", 1);
        change.activity = Some(later);
        let answer = store
            .update(
                record.id,
                Expect::Version(1),
                change,
                SubjectLimit::NONE,
                now,
            )
            .await?;
        answers!(answer, Updated::Gone => (), "update past a deadline");
        store.flush().await?;
        ensure!(
            !kit::opens(&*store, record, now).await?,
            "it opens past a deadline"
        );
        if let Some(left) = store.load(record.id).await? {
            ensure_eq!(*left.record, *record, "a record past its deadline");
        }
    }
    let answer = store.touch(long.id, later, now).await?;
    ensure_eq!(answer, Touched::Done, "touch of a session that still lives");
    Ok(())
}

/// S-11: one millisecond before its deadline a session lives; a touch then keeps it.
pub async fn s_11_before_its_deadline_a_session_lives<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let record = Sample::new(start).record();
    create(&*store, &record, start).await?;
    // A store with a clock of its own is not exact to the millisecond.
    let early = match store.profile().clock {
        cloakroom_core::store::Clock::Caller => Duration::from_millis(1),
        cloakroom_core::store::Clock::Store => Duration::from_secs(60),
    };
    fixture.advance(samples::IDLE - early).await;
    let now = fixture.now();
    ensure!(
        kit::opens(&*store, &record, now).await?,
        "it ended before its deadline"
    );
    let answer = store.touch(record.id, activity(now), now).await?;
    ensure_eq!(answer, Touched::Done, "touch just before the deadline");
    fixture.advance(early * 2).await;
    let now = fixture.now();
    ensure!(
        kit::opens(&*store, &record, now).await?,
        "a touch did not keep it"
    );
    update(
        &*store,
        record.id,
        Expect::Version(1),
        samples::set("a", 1),
        now,
    )
    .await?;
    Ok(())
}
