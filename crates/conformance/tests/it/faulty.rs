//! The fault-injecting wrapper.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_conformance::{Fault, Faults, Faulty, Gate, ManualClock, Operation, Target};
use cloakroom_core::store::{
    DynRegistry, DynStore, ErrorKind, Expected, Kind, Put, Registry as _, Store as _,
};
use cloakroom_core::{StoreError, SubjectLimit};

use crate::toy::{Flaw, Toy};

fn toy() -> (Faulty<Toy>, Faults) {
    let store = Faulty::new(Toy::new(Flaw::No));
    let faults = store.faults();
    (store, faults)
}

fn failed<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> ErrorKind {
    answer.expect_err("a fault").kind()
}

#[tokio::test]
async fn the_nth_write_fails_before_it_took_effect() {
    let (store, faults) = toy();
    let now = ManualClock::default().now();
    faults.add(Fault::error(ErrorKind::Full).on(Target::Writes).nth(2));
    let records: Vec<_> = (0..3).map(|_| Sample::new(now).record()).collect();
    let mut answers = Vec::new();
    for record in &records {
        let answer = store.create(record.clone(), SubjectLimit::NONE, now).await;
        answers.push(answer.map(drop).map_err(|error| error.kind()));
        // Reads do not count as writes.
        assert!(store.load(samples::id()).await.is_ok());
    }
    assert_eq!(answers, [Ok(()), Err(ErrorKind::Full), Ok(())]);
    assert!(store.load(records[1].id).await.unwrap().is_none());
    assert_eq!(faults.calls(Operation::Create), 3);
    assert_eq!(faults.injected(), 1);
}

#[tokio::test]
async fn an_answer_is_lost_after_the_write_took_effect() {
    let (store, faults) = toy();
    let now = ManualClock::default().now();
    let lost = Fault::error(ErrorKind::Unavailable).on(Target::Only(Operation::Create));
    faults.add(lost.after_effect().times(1));
    let record = Sample::new(now).record();
    let answer = store.create(record.clone(), SubjectLimit::NONE, now).await;
    assert_eq!(failed(answer), ErrorKind::Unavailable);
    assert!(store.load(record.id).await.unwrap().is_some());
}

#[tokio::test]
async fn everything_fails_until_it_is_cleared_also_behind_erased_handles() {
    let (store, faults) = toy();
    let now = ManualClock::default().now();
    let (erased, registry) = (DynStore::new(store.clone()), DynRegistry::new(store));
    faults.add(Fault::error(ErrorKind::Unavailable));
    assert_eq!(
        failed(erased.load(samples::id()).await),
        ErrorKind::Unavailable
    );
    assert_eq!(failed(erased.epoch().await), ErrorKind::Unavailable);
    let get = registry.get(Kind::User, "ann", now).await;
    assert_eq!(failed(get), ErrorKind::Unavailable);
    faults.clear();
    assert!(erased.load(samples::id()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_gate_holds_an_operation_until_it_is_opened() {
    let (store, faults) = toy();
    let now = ManualClock::default().now();
    let gate = Gate::new();
    faults.add(Fault::hold(&gate).on(Target::Only(Operation::Put)));
    let store = Arc::new(store);
    let putting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let value = Some("1".into());
            let expected = Expected::Absent;
            store.put(Kind::Code, "a", expected, value, None, now).await
        })
    };
    gate.arrived(1).await;
    assert_eq!(store.get(Kind::Code, "a", now).await.unwrap(), None);
    assert!(!putting.is_finished());
    gate.open();
    assert!(matches!(putting.await.unwrap(), Ok(Put::Done(_))));
}

#[tokio::test]
async fn a_delayed_operation_takes_effect_late() {
    let (store, faults) = toy();
    let by = Duration::from_millis(30);
    faults.add(Fault::delay(by).on(Target::Reads));
    let started = std::time::Instant::now();
    assert!(store.load(samples::id()).await.is_ok());
    assert!(started.elapsed() >= by);
}
