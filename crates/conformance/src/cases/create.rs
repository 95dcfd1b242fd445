//! Keeping and reading records: S-01, S-02, S-03.

use cloakroom_core::SubjectLimit;
use cloakroom_core::store::{Created, Store as _};

use crate::fixture::Fixture;
use crate::kit::{create, load};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, answers, ensure, ensure_eq};

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
