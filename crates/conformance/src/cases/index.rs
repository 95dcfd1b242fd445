//! Listing: I-01, I-02.

use std::time::Duration;

use cloakroom_core::store::{Expect, Scope, Store as _};

use crate::fixture::Fixture;
use crate::kit::{self, create, everywhere, list_all, sorted, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, ensure_eq};

/// I-01: pages of every size give each live session of each scope once, ascending.
pub async fn i_01_pages_give_each_live_session_once<F: Fixture>(fixture: F) -> Checked {
    let (store, start) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let short = Duration::from_secs(600);
    let sample = Sample::new(start);
    let mut all = Vec::new();
    for number in 0..23 {
        let record = match number % 4 {
            0 => sample.clone().of("ann", epoch),
            1 => sample.clone().of("ann", epoch).app("shop"),
            2 => sample.clone().of("ben", epoch).app("shop"),
            _ => sample.clone(),
        };
        let record = record.record();
        create(&*store, &record, start).await?;
        all.push(record);
    }
    for _ in 0..5 {
        let expiring = sample
            .clone()
            .of("ann", epoch)
            .app("shop")
            .timeouts(short, short);
        create(&*store, &expiring.record(), start).await?;
    }
    fixture.advance(short).await;
    let now = fixture.now();
    let scopes = [
        Scope::Everything,
        Scope::App(samples::app("shop")),
        Scope::App(samples::app("none")),
        everywhere("ann"),
        everywhere("an"),
        Scope::Subject {
            app: Some(samples::app("shop")),
            subject: samples::subject("ann"),
        },
    ];
    for scope in scopes {
        let covered = all.iter().filter(|record| scope.covers(record));
        let wanted = sorted(covered.map(|record| record.id));
        for page in [1, 3, 100] {
            let found = list_all(&*store, &scope, page, now).await?;
            ensure_eq!(found, wanted, "{scope:?} in pages of {page}");
        }
    }
    Ok(())
}

/// I-02: a session is listed from the answer to `create` or a login on, moves with its subject, and goes with its end.
pub async fn i_02_the_index_follows_the_record<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let record = Sample::new(now).record();
    create(&*store, &record, now).await?;
    let mut current = record.clone();
    for subject in ["ann", "ben", "ann"] {
        let change = kit::login(&current, subject, epoch, now);
        let expect = Expect::Security(current.security.version);
        current = (*update(&*store, record.id, expect, change, now).await?).clone();
        for name in ["ann", "ben"] {
            let wanted = if name == subject {
                vec![record.id]
            } else {
                Vec::new()
            };
            let found = list_all(&*store, &everywhere(name), 10, now).await?;
            ensure_eq!(
                found,
                wanted,
                "sessions of {name} after {subject} logged in"
            );
        }
    }
    let listed = store_records(&fixture, "ann").await?;
    ensure_eq!(listed, vec![current], "the listed record");
    store.delete(record.id).await?;
    let left = list_all(&*store, &Scope::Everything, 10, now).await?;
    ensure_eq!(left, vec![], "sessions listed after the end");
    Ok(())
}

async fn store_records<F: Fixture>(
    fixture: &F,
    subject: &str,
) -> Result<Vec<cloakroom_core::Record>, crate::Stop> {
    use cloakroom_core::store::SubjectIndex as _;
    let listed = fixture
        .store()
        .list(everywhere(subject), None, 10, fixture.now())
        .await?;
    Ok(listed
        .records
        .iter()
        .map(|record| (**record).clone())
        .collect())
}

/// I-02: parallel logins and ends: the listing agrees with what opens.
pub async fn i_02_the_index_agrees_after_a_storm<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let epoch = kit::epoch(&*handles[0]).await?;
    let records: Vec<_> = (0..12).map(|_| Sample::new(now).record()).collect();
    for record in &records {
        create(&*handles[0], record, now).await?;
    }
    kit::together(24, |number| {
        let store = std::sync::Arc::clone(&handles[number % handles.len()]);
        let record = records[number % records.len()].clone();
        async move {
            for turn in 0..6 {
                let subject = ["ann", "ben", "eve"][(number + turn) % 3];
                let Some(loaded) = store.load(record.id).await? else {
                    return Ok(());
                };
                let change = kit::login(&loaded.record, subject, epoch, now);
                let expect = Expect::Version(loaded.record.version);
                let none = cloakroom_core::SubjectLimit::NONE;
                store.update(record.id, expect, change, none, now).await?;
                if number % 5 == 0 && turn == 4 {
                    store.delete(record.id).await?;
                }
            }
            Ok(())
        }
    })
    .await?;
    for name in ["ann", "ben", "eve"] {
        let mut wanted = Vec::new();
        for record in &records {
            let kept = handles[0].load(record.id).await?;
            let subject = kept.and_then(|kept| kept.record.security.subject.clone());
            if subject == Some(samples::subject(name)) {
                wanted.push(record.id);
            }
        }
        let found = list_all(&*handles[0], &everywhere(name), 5, now).await?;
        ensure_eq!(found, sorted(wanted), "sessions of {name} after a storm");
    }
    Ok(())
}
