//! What all measurements write and how they run.

use std::path::Path;
use std::sync::Arc;

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::store::Store as _;
use cloakroom_core::{
    Change, Edits, JsonText, Policy, Record, SessionId, Subject, SubjectLimit, Timestamp,
};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use tokio::runtime::Runtime;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap()
}

/// A session of about 450 bytes.
pub(crate) fn record(number: usize) -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&"x".repeat(250)).unwrap());
    let what = Begin {
        proof: Some(Proof::of(
            Subject::new(format!("subject {number}")).unwrap(),
        )),
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), NOW, &rand::random()).0
}

pub(crate) fn edit(number: usize) -> Change {
    let mut edits = Edits::new();
    edits.set("count", JsonText::of(&number).unwrap());
    Change::of_data(edits)
}

pub(crate) fn open(folder: &Path, options: Options) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(folder, options).unwrap())
}

/// Creates these sessions, many at once.
pub(crate) async fn fill(store: &Arc<EmbeddedStore>, records: Vec<Record>) -> Vec<SessionId> {
    const AT_ONCE: usize = 512;
    let ids = records.iter().map(|record| record.id).collect();
    for some in records.chunks(AT_ONCE) {
        let tasks: Vec<_> = some
            .iter()
            .map(|record| {
                let (store, record) = (Arc::clone(store), record.clone());
                tokio::spawn(async move {
                    let none = SubjectLimit::NONE;
                    store.create(record, none, NOW).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    ids
}
