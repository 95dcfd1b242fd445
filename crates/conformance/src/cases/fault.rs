//! Damage and loss of contact: S-16, S-17.

use std::time::Duration;

use cloakroom_core::store::{
    ErrorKind, Expect, Expected, Kind, Registry as _, ReplayGuard as _, Scope, Store as _,
    SubjectIndex as _,
};
use cloakroom_core::{StoreError, SubjectLimit};

use crate::fixture::{Fixture, Offered};
use crate::kit::{self, create, load, update};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, Stop, ensure, ensure_eq};

fn fails<T: std::fmt::Debug>(
    what: &str,
    answer: Result<T, StoreError>,
    kind: ErrorKind,
) -> Checked {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        other => Err(Stop::Failed(format!(
            "{what}: {other:?}, not an error of kind {kind:?}"
        ))),
    }
}

/// S-16: a damaged record is an error of kind `corrupt` for all who need it; the others are as before.
pub async fn s_16_damage_is_an_error<F: Fixture>(mut fixture: F) -> Checked {
    let now = fixture.now();
    let epoch = kit::epoch(&*fixture.store()).await?;
    let sample = Sample::new(now).of("ann", epoch);
    let (record, other) = (sample.record(), sample.record());
    create(&*fixture.store(), &record, now).await?;
    create(&*fixture.store(), &other, now).await?;
    if fixture.damage(record.id).await == Offered::Not {
        return Err(Stop::Skipped("the fixture cannot damage stored bytes"));
    }
    let store = fixture.store();
    let corrupt = ErrorKind::Corrupt;
    fails(
        "load of a damaged record",
        store.load(record.id).await,
        corrupt,
    )?;
    let change = samples::set("a", 1);
    let expect = Expect::Security(1);
    let answer = store
        .update(record.id, expect, change.clone(), SubjectLimit::NONE, now)
        .await;
    fails("update of a damaged record", answer, corrupt)?;
    let answer = store.touch(record.id, record.activity, now).await;
    fails("touch of a damaged record", answer, corrupt)?;
    ensure_eq!(
        *load(&*store, other.id).await?.record,
        other,
        "another record"
    );
    update(&*store, other.id, expect, change, now).await?;
    // Whatever these answer, they must neither panic nor show a record that cannot be read.
    if let Ok(listed) = store.list(kit::everywhere("ann"), None, 10, now).await {
        let shown = listed.records.iter().any(|shown| shown.id == record.id);
        ensure!(!shown, "a damaged record is listed");
    }
    fixture
        .advance(samples::ABSOLUTE + Duration::from_secs(60))
        .await;
    let _ = store.sweep(fixture.now(), 10).await;
    let _ = store.delete(record.id).await;
    let _ = store
        .revoke_all(Scope::Everything, None, fixture.now())
        .await;
    let epoch = kit::epoch(&*store).await?;
    let fresh = Sample::new(fixture.now()).of("ann", epoch).record();
    create(&*store, &fresh, fixture.now()).await?;
    Ok(())
}

/// S-17: out of reach, every operation answers `unavailable`; back in reach, nothing is lost.
pub async fn s_17_out_of_reach_is_an_error<F: Fixture>(mut fixture: F) -> Checked {
    let now = fixture.now();
    let epoch = kit::epoch(&*fixture.store()).await?;
    let record = Sample::new(now).of("ann", epoch).record();
    create(&*fixture.store(), &record, now).await?;
    if fixture.cut_off(true).await == Offered::Not {
        return Err(Stop::Skipped(
            "the fixture cannot put the store out of reach",
        ));
    }
    let store = fixture.store();
    let away = ErrorKind::Unavailable;
    let none = SubjectLimit::NONE;
    let new = Sample::new(now).record();
    let expect = Expect::Security(1);
    let change = samples::set("a", 1);
    let until = now.plus(samples::IDLE);
    fails("load", store.load(record.id).await, away)?;
    fails("load of nothing", store.load(samples::id()).await, away)?;
    fails("create", store.create(new.clone(), none, now).await, away)?;
    let answer = store.update(record.id, expect, change, none, now).await;
    fails("update", answer, away)?;
    fails("delete", store.delete(record.id).await, away)?;
    fails("epoch", store.epoch().await, away)?;
    let scope = kit::everywhere("ann");
    fails("list", store.list(scope.clone(), None, 10, now).await, away)?;
    fails("revoke_all", store.revoke_all(scope, None, now).await, away)?;
    fails(
        "first_seen",
        store.first_seen(b"key", until, now).await,
        away,
    )?;
    if let Some(registry) = fixture.registry() {
        fails("get", registry.get(Kind::User, "ann", now).await, away)?;
        let put = registry
            .put(Kind::User, "ann", Expected::Anything, None, None, now)
            .await;
        fails("put", put, away)?;
    }
    ensure_eq!(fixture.cut_off(false).await, Offered::Done, "back in reach");
    let store = fixture.store();
    ensure_eq!(
        *load(&*store, record.id).await?.record,
        record,
        "the record once back"
    );
    ensure!(
        store.load(new.id).await?.is_none(),
        "a create that failed was kept"
    );
    update(&*store, record.id, expect, samples::set("b", 1), now).await?;
    Ok(())
}
