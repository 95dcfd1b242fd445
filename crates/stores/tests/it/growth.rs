//! Crashes while the file gains and loses regions, on a disk that loses or tears what was not synced.

use std::io;
use std::time::Duration;

use cloakroom_conformance::samples::Sample;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::Store as _;
use cloakroom_core::{Edits, JsonText, Record, SubjectLimit, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::disk::{Disk, Event, Player, Tear};
use crate::{seed, soak};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// A step was acknowledged.
const DONE: usize = 1;
/// Places to crash at after each change of the length.
const PLACES: usize = 3;

fn start(disk: &Disk) -> EmbeddedStore {
    let disk = disk.clone();
    let options = Options {
        touch_every: Duration::from_secs(3600),
        hot_bytes: 0,
        ..Options::default()
    };
    EmbeddedStore::open_on(move || Ok::<_, io::Error>(disk.clone()), options).unwrap()
}

/// A session that takes a page of 1 MiB.
fn large() -> Record {
    let mut edits = Edits::new();
    edits.set("large", JsonText::of(&"x".repeat(900_000)).unwrap());
    let mut record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
    record.data = record.data.apply(&edits);
    record
}

/// Creates sessions, ends them again, the last one first, and does so once more; answers which there were.
async fn fill_and_empty(disk: &Disk, count: usize) -> Vec<Record> {
    let store = start(disk);
    disk.mark(0);
    let records: Vec<_> = (0..count).map(|_| large()).collect();
    for record in &records {
        let none = SubjectLimit::NONE;
        store.create(record.clone(), none, NOW).await.unwrap();
        disk.mark(DONE);
    }
    for record in records.iter().rev() {
        store.delete(record.id).await.unwrap();
        disk.mark(DONE);
    }
    records
}

/// How many sessions are there after so many steps.
fn alive(steps: usize, count: usize) -> usize {
    steps.min((2 * count).saturating_sub(steps))
}

async fn check(image: Vec<u8>, records: &[Record], steps: usize, what: &str) {
    let store = start(&Disk::of(image));
    let mut found = 0;
    for (number, record) in records.iter().enumerate() {
        if let Some(loaded) = store.load(record.id).await.unwrap() {
            assert_eq!(*loaded.record, *record, "{what}");
            assert_eq!(found, number, "{what}: one in between is missing");
            found += 1;
        }
    }
    let count = records.len();
    let allowed = [alive(steps, count), alive(steps + 1, count)];
    assert!(
        allowed.contains(&found),
        "{what}: {found} sessions, not {allowed:?}"
    );
    // And it goes on.
    let none = SubjectLimit::NONE;
    store.create(large(), none, NOW).await.unwrap();
}

/// S-15: at every change of the file's length, and shortly after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_15_crashes_while_the_file_grows_and_shrinks() {
    let disk = Disk::default().recording();
    let records = fill_and_empty(&disk, soak(20, 60)).await;
    let mut rng = StdRng::seed_from_u64(seed());
    let mut player = Player::default();
    let (mut steps, mut opened, mut near) = (0, false, 0);
    let (mut lengths, mut crashes) = (Vec::new(), 0);
    for (index, event) in disk.journal().iter().enumerate() {
        player.step(event);
        match event {
            Event::Mark(DONE) => steps += 1,
            Event::Mark(_) => opened = true,
            Event::SetLen(len) => {
                lengths.push(*len);
                near = PLACES;
            }
            _ => {}
        }
        let here = matches!(event, Event::SetLen(_) | Event::Sync | Event::Synced);
        if !opened || near == 0 || !here {
            continue;
        }
        near -= 1;
        for tear in [Tear::Drop, Tear::Keep, Tear::Sectors(rng.random())] {
            let what = format!("event {index}, {event:?}, {tear:?}");
            check(player.crash(tear), &records, steps, &what).await;
            crashes += 1;
        }
    }
    println!("{crashes} crashes around {} lengths", lengths.len());
    let longest = lengths.iter().max().unwrap();
    assert!(*longest > 16 << 20, "it never had a second region");
    assert!(lengths.last().unwrap() < longest, "it never shrank");
}
