//! Keeping and reading records: S-01, S-02, S-03.

use std::sync::Arc;

use cloakroom_core::SubjectLimit;
use cloakroom_core::store::{Created, Expect, Store as _};

use crate::fixture::Fixture;
use crate::kit::{self, create, load, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

/// S-01: what was created is loaded equal.
pub async fn s_01_create_then_load_is_equal<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now)
        .data(samples::edits([("visits", 1), ("cart", 2)]))
        .record();
    create(&*store, &record, now).await?;
    let loaded = load(&*store, record.id).await?;
    ensure_eq!(*loaded.record, record, "a record that was just created");
    Ok(())
}

/// S-02: an id that is taken is refused, and the record under it stays.
pub async fn s_02_create_of_a_present_id_changes_nothing<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let first = Sample::new(now)
        .data(samples::edits([("first", 1)]))
        .record();
    create(&*store, &first, now).await?;
    let mut second = Sample::new(now)
        .data(samples::edits([("second", 2)]))
        .record();
    second.id = first.id;
    let answer = store.create(second, SubjectLimit::NONE, now).await?;
    answers!(answer, Created::Exists => (), "create under an id that is taken");
    ensure_eq!(
        *load(&*store, first.id).await?.record,
        first,
        "the first record"
    );
    Ok(())
}

/// S-03: nothing is kept under an id that was never used.
pub async fn s_03_load_of_an_absent_id_is_none<F: Fixture>(fixture: F) -> Checked {
    let store = fixture.store();
    let found = store.load(samples::id()).await?;
    ensure!(found.is_none(), "a record under an id that was never used");
    Ok(())
}

/// S-01: values of every JSON shape and hostile names come back as they were.
pub async fn s_01_hostile_data_comes_back<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = Sample::new(now).data(samples::hostile_edits()).record();
    create(&*store, &record, now).await?;
    let loaded = load(&*store, record.id).await?.record;
    for (name, text) in record.data.iter() {
        ensure_eq!(loaded.data.get(name), Some(text), "the value of {name:?}");
    }
    ensure_eq!(
        loaded.data.encoded(),
        record.data.encoded(),
        "the data's bytes"
    );
    ensure_eq!(*loaded, record, "the record");
    Ok(())
}

/// S-01: 64 KiB of data, the longest names and full lists come back equal.
pub async fn s_01_the_largest_record_comes_back<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let record = samples::largest(now);
    create(&*store, &record, now).await?;
    ensure_eq!(
        *load(&*store, record.id).await?.record,
        record,
        "the largest record"
    );
    Ok(())
}

/// S-01: what a later release wrote passes through, also when this release changes the record.
pub async fn s_01_unknown_fields_pass_through<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let plain = Sample::new(now).record();
    let record = samples::with_unknown_fields(&plain)
        .map_err(|error| Stop::Failed(format!("the suite cannot make unknown fields: {error}")))?;
    ensure!(
        record.unknown != plain.unknown,
        "the suite made no unknown field"
    );
    create(&*store, &record, now).await?;
    ensure_eq!(
        *load(&*store, record.id).await?.record,
        record,
        "unknown fields as created"
    );
    let expect = Expect::Version(record.version);
    let changed = update(&*store, record.id, expect, samples::set("a", 1), now).await?;
    let loaded = load(&*store, record.id).await?.record;
    for found in [&changed, &loaded] {
        ensure_eq!(
            found.unknown,
            record.unknown,
            "unknown fields after an update"
        );
        ensure_eq!(
            found.security.unknown,
            record.security.unknown,
            "those of the security block"
        );
    }
    Ok(())
}

/// S-02: of parallel creates under one id exactly one succeeds, and his record is the one kept.
pub async fn s_02_parallel_creates_have_one_winner<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    for _ in 0..kit::rounds(10) {
        let id = samples::id();
        let won = kit::together(8, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            let edits = samples::edits([("writer", number as u64)]);
            let mut record = Sample::new(now).data(edits).record();
            record.id = id;
            async move {
                let answer = store
                    .create(record.clone(), SubjectLimit::NONE, now)
                    .await?;
                Ok(matches!(answer, Created::Done(_)).then_some(record))
            }
        })
        .await?;
        let won: Vec<_> = won.into_iter().flatten().collect();
        ensure_eq!(won.len(), 1, "winners of parallel creates under one id");
        ensure_eq!(
            *load(&*handles[0], id).await?.record,
            won[0],
            "the winner's record"
        );
    }
    Ok(())
}
