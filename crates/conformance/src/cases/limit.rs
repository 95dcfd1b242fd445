//! The number of sessions a subject may have: S-14.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::policy::OnFull;
use cloakroom_core::store::{Created, Expect, Refusal, Store, Updated};
use cloakroom_core::{Record, SubjectLimit, Timestamp};

use crate::fixture::Fixture;
use crate::kit::{self, create, everywhere, list_all, load, sorted};
use crate::samples::Sample;
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

const fn at_most(max: u32, on_full: OnFull) -> SubjectLimit {
    SubjectLimit {
        max: Some(max),
        on_full,
    }
}

const TWO: SubjectLimit = at_most(2, OnFull::EndOldest);
const TWO_OR_DENY: SubjectLimit = at_most(2, OnFull::Deny);

/// Sessions of `ann`, one second apart, the oldest first; kept without a limit.
async fn logins<F: Fixture>(fixture: &F, count: usize) -> Result<Vec<Record>, Stop> {
    let store = fixture.store();
    let epoch = kit::epoch(&*store).await?;
    let mut records = Vec::new();
    for _ in 0..count {
        fixture.advance(Duration::from_secs(1)).await;
        let record = Sample::new(fixture.now()).of("ann", epoch).record();
        create(&*store, &record, fixture.now()).await?;
        records.push(record);
    }
    fixture.advance(Duration::from_secs(1)).await;
    Ok(records)
}

async fn next_login<F: Fixture>(fixture: &F) -> Result<Record, Stop> {
    let epoch = kit::epoch(&*fixture.store()).await?;
    Ok(Sample::new(fixture.now()).of("ann", epoch).record())
}

async fn alive<S: Store>(
    store: &S,
    records: &[&Record],
    now: Timestamp,
) -> Result<Vec<bool>, Stop> {
    let mut alive = Vec::new();
    for record in records {
        alive.push(kit::opens(store, record, now).await?);
    }
    Ok(alive)
}

/// S-14: a login beyond the limit ends the oldest session in the same step and names it.
pub async fn s_14_one_more_login_ends_the_oldest<F: Fixture>(fixture: F) -> Checked {
    let store = fixture.store();
    let old = logins(&fixture, 2).await?;
    let record = next_login(&fixture).await?;
    let now = fixture.now();
    let answer = store.create(record.clone(), TWO, now).await?;
    let ended = answers!(answer, Created::Done(ended) => ended, "a login beyond the limit");
    ensure_eq!(
        ended,
        vec![old[0].id],
        "the sessions that ended for a login"
    );
    let alive = alive(&*store, &[&old[0], &old[1], &record], now).await?;
    ensure_eq!(alive, vec![false, true, true], "who is alive after it");
    let listed = list_all(&*store, &everywhere("ann"), 10, now).await?;
    ensure_eq!(
        listed,
        sorted([old[1].id, record.id]),
        "who is listed after it"
    );
    Ok(())
}

/// S-14: with `Deny` a login beyond the limit is refused and nothing changes.
pub async fn s_14_one_more_login_is_refused<F: Fixture>(fixture: F) -> Checked {
    let store = fixture.store();
    let old = logins(&fixture, 2).await?;
    let record = next_login(&fixture).await?;
    let now = fixture.now();
    let answer = store.create(record.clone(), TWO_OR_DENY, now).await?;
    answers!(answer, Created::Refused(Refusal::TooManySessions) => (), "a login beyond the limit");
    ensure!(
        store.load(record.id).await?.is_none(),
        "a refused session is kept"
    );
    let alive = alive(&*store, &[&old[0], &old[1]], now).await?;
    ensure_eq!(alive, vec![true, true], "who is alive after a refusal");
    store.delete(old[1].id).await?;
    let answer = store.create(record, TWO_OR_DENY, now).await?;
    answers!(answer, Created::Done(ended) if ended.is_empty() => (), "a login within the limit");
    Ok(())
}

/// S-14: where the limit was lowered, as many of the oldest end as are too many.
pub async fn s_14_a_lowered_limit_ends_several<F: Fixture>(fixture: F) -> Checked {
    let store = fixture.store();
    let old = logins(&fixture, 5).await?;
    let record = next_login(&fixture).await?;
    let now = fixture.now();
    let answer = store.create(record.clone(), TWO, now).await?;
    let ended = answers!(answer, Created::Done(ended) => ended, "a login beyond the limit");
    let oldest = old[..4].iter().map(|record| record.id);
    ensure_eq!(sorted(ended), sorted(oldest), "the sessions that ended");
    let listed = list_all(&*store, &everywhere("ann"), 10, now).await?;
    ensure_eq!(listed, sorted([old[4].id, record.id]), "who is left");
    Ok(())
}

/// S-14: only live sessions of the same subject in the same application count.
pub async fn s_14_only_live_sessions_of_one_application_count<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let hour = Duration::from_secs(3600);
    let own = Sample::new(start).of("ann", epoch).timeouts(hour, hour * 9);
    let short = Sample::new(start)
        .of("ann", epoch)
        .timeouts(hour / 2, hour * 9);
    let ended = own.record();
    let others = [
        short.record(),
        own.clone().app("shop").record(),
        own.clone().app("forum").record(),
        Sample::new(start)
            .of("ben", epoch)
            .timeouts(hour, hour * 9)
            .record(),
        Sample::new(start).timeouts(hour, hour * 9).record(),
        ended.clone(),
        own.record(),
    ];
    for record in &others {
        create(&*store, record, start).await?;
    }
    store.delete(ended.id).await?;
    fixture.advance(hour / 2).await;
    let now = fixture.now();
    let record = Sample::new(now).of("ann", epoch).record();
    let answer = store.create(record, TWO_OR_DENY, now).await?;
    answers!(answer, Created::Done(_) => (), "the second live session in one application");
    let third = Sample::new(now).of("ann", epoch).record();
    let answer = store.create(third, TWO_OR_DENY, now).await?;
    answers!(answer, Created::Refused(_) => (), "the third live session in one application");
    let shop = Sample::new(now).of("ann", epoch).app("shop").record();
    let answer = store.create(shop, TWO_OR_DENY, now).await?;
    answers!(answer, Created::Done(_) => (), "the second session in another application");
    Ok(())
}

/// S-14: a login into an anonymous session counts as well, and never ends that session itself.
pub async fn s_14_a_login_by_update_counts<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    // The oldest of all, so that a store which forgets whose login it is would end it.
    let anonymous = Sample::new(start).record();
    create(&*store, &anonymous, start).await?;
    let old = logins(&fixture, 2).await?;
    let now = fixture.now();
    let epoch = kit::epoch(&*store).await?;
    let change = kit::login(&anonymous, "ann", epoch, now);
    let expect = Expect::Security(1);
    let answer = store
        .update(anonymous.id, expect, change.clone(), TWO_OR_DENY, now)
        .await?;
    answers!(answer, Updated::Refused(Refusal::TooManySessions) => (), "a login beyond the limit");
    ensure_eq!(
        *load(&*store, anonymous.id).await?.record,
        anonymous,
        "a refused login"
    );
    let answer = store.update(anonymous.id, expect, change, TWO, now).await?;
    let (record, ended) = answers!(
        answer,
        Updated::Done { record, ended } => (record, ended),
        "a login that ends the oldest"
    );
    ensure_eq!(
        ended,
        vec![old[0].id],
        "the sessions that ended for a login"
    );
    let alive = alive(&*store, &[&old[0], &old[1], &record], now).await?;
    ensure_eq!(alive, vec![false, true, true], "who is alive after it");
    Ok(())
}

/// S-14: a subject who proves himself again in his own session is not one more.
pub async fn s_14_a_new_proof_of_the_same_subject_is_not_one_more<F: Fixture>(
    fixture: F,
) -> Checked {
    let store = fixture.store();
    let old = logins(&fixture, 2).await?;
    let now = fixture.now();
    let epoch = kit::epoch(&*store).await?;
    let change = kit::login(&old[0], "ann", epoch, now);
    let answer = store
        .update(old[0].id, Expect::Security(1), change, TWO_OR_DENY, now)
        .await?;
    answers!(answer, Updated::Done { ended, .. } if ended.is_empty() => (), "a second proof");
    Ok(())
}

/// S-14: parallel logins, some new and some into anonymous sessions, never leave more than the limit.
pub async fn s_14_parallel_logins_keep_the_limit<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    for (round, on_full) in [OnFull::EndOldest, OnFull::Deny]
        .into_iter()
        .cycle()
        .take(kit::rounds(10))
        .enumerate()
    {
        let subject = format!("ann {round}");
        let limit = at_most(3, on_full);
        let epoch = kit::epoch(&*handles[0]).await?;
        let mut anonymous = Vec::new();
        for _ in 0..6 {
            let record = Sample::new(now).record();
            create(&*handles[0], &record, now).await?;
            anonymous.push(record);
        }
        kit::together(12, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            let new = Sample::new(now).of(&subject, epoch).record();
            let login = anonymous
                .get(number)
                .map(|record| (record.id, kit::login(record, &subject, epoch, now)));
            async move {
                match login {
                    Some((id, change)) => {
                        let expect = Expect::Security(1);
                        store.update(id, expect, change, limit, now).await?;
                    }
                    None => {
                        store.create(new, limit, now).await?;
                    }
                }
                Ok(())
            }
        })
        .await?;
        let left = list_all(&*handles[0], &everywhere(&subject), 10, now).await?;
        ensure_eq!(
            left.len(),
            3,
            "sessions left by parallel logins ({on_full:?})"
        );
    }
    Ok(())
}
