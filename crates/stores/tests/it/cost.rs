//! What a durable write costs on the disk, beside the engine alone: in counts, which no busy machine changes.

use std::io;
use std::time::Duration;

use cloakroom_conformance::samples::Sample;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::Store as _;
use cloakroom_core::{Record, SubjectLimit, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use redb::{Builder, Database, TableDefinition};

use crate::disk::{Disk, Event};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const WRITES: usize = 400;

fn records() -> Vec<Record> {
    let sample = Sample::new(NOW).of("ann", Epoch::ZERO);
    (0..WRITES).map(|_| sample.record()).collect()
}

/// Syncs and bytes since the mark.
fn cost(disk: &Disk) -> (usize, usize) {
    let journal = disk.journal();
    let events = journal
        .iter()
        .skip_while(|event| !matches!(event, Event::Mark(_)));
    events.fold((0, 0), |(syncs, bytes), event| match event {
        Event::Synced => (syncs + 1, bytes),
        Event::Write(_, data) => (syncs, bytes + data.len()),
        _ => (syncs, bytes),
    })
}

/// The rows of a session, one commit each, as plain redb writes them durably and so that it opens fast.
fn engine() -> (usize, usize) {
    const RECORDS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("records");
    const SUBJECTS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("subjects");
    const QUEUE: TableDefinition<'_, &[u8], ()> = TableDefinition::new("queue");
    let disk = Disk::default().recording();
    let write = |database: &Database, record: &Record| {
        let mut transaction = database.begin_write().unwrap();
        transaction.set_quick_repair(true);
        {
            let id = record.id.as_bytes();
            let mut rows = transaction.open_table(RECORDS).unwrap();
            rows.insert(id, &record.encode()[..]).unwrap();
            let mut subjects = transaction.open_table(SUBJECTS).unwrap();
            subjects
                .insert(&[b"ann", &[0, 1][..], id].concat()[..], ())
                .unwrap();
            let mut queue = transaction.open_table(QUEUE).unwrap();
            let due = record.deadline().as_millis().to_be_bytes();
            queue
                .insert(&[&[1], &due[..], id].concat()[..], ())
                .unwrap();
        }
        transaction.commit().unwrap();
    };
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    // The tables are there before it counts.
    for (number, record) in records().iter().enumerate() {
        if number == 1 {
            disk.mark(0);
        }
        write(&database, record);
    }
    cost(&disk)
}

async fn store() -> (usize, usize) {
    let disk = Disk::default().recording();
    let shared = disk.clone();
    let options = Options {
        touch_every: Duration::from_secs(3600),
        ..Options::default()
    };
    let make = move || Ok::<_, io::Error>(shared.clone());
    let store = EmbeddedStore::open_on(make, options).unwrap();
    for (number, record) in records().into_iter().enumerate() {
        if number == 1 {
            disk.mark(0);
        }
        let none = SubjectLimit::NONE;
        store.create(record, none, NOW).await.unwrap();
    }
    cost(&disk)
}

/// One writer alone: as many syncs as the engine, and hardly more bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_write_costs_what_the_engine_asks() {
    let (engine, store) = (engine(), store().await);
    println!("{WRITES} writes: syncs and bytes of the engine {engine:?}, of the store {store:?}");
    // The file grows once or twice more or less often, which is a sync.
    assert!(store.0 <= engine.0 + 8, "it syncs more often");
    assert!(store.1 * 20 <= engine.1 * 21, "it writes more");
}
