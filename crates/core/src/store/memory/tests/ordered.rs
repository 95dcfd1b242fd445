//! The table against a model, and its slots against records of every length.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::account::Account;
use super::super::ordered::Ordered;
use super::*;
use crate::change::Change;
use crate::store::{Expect, Updated};

/// Hashes of few values and of many, so that runs of equal ones and of crowded ones come up, at both ends.
fn hash() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(1_u32),
        Just(u32::MAX),
        1..100_u32,
        (u32::MAX - 99)..=u32::MAX,
        1..u32::MAX
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_is_what_the_model_is(
        segments in prop::sample::select(vec![1_usize, 4]),
        entries in prop::collection::vec((hash(), any::<u32>()), 1..1500),
        removed in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..1500),
    ) {
        let account = Account::new(usize::MAX, usize::MAX, 1 << 30, 4096);
        let mut table = Ordered::new(segments);
        let mut model = BTreeSet::new();
        for (hash, value) in &entries {
            let (needs, before) = (table.needs(*hash), table.size());
            if model.insert((*hash, *value)) {
                let taken = table.insert(*hash, *value);
                prop_assert!(taken <= needs, "{taken} taken, {needs} charged");
                prop_assert_eq!(table.size() - before, taken);
            }
        }
        for (index, sets) in removed {
            let (hash, value) = entries[index.index(entries.len())];
            if sets && model.remove(&(hash, value)) {
                let other = value.wrapping_add(7);
                table.set(hash, value, other);
                if !model.insert((hash, other)) {
                    prop_assert!(table.remove(&account, hash, other));
                }
            } else {
                prop_assert_eq!(table.remove(&account, hash, value), model.remove(&(hash, value)));
            }
        }
        let found: BTreeSet<_> = table.from(0).collect();
        prop_assert_eq!(&found, &model);
        prop_assert_eq!(table.len(), model.len());
        let hashes: Vec<_> = table.from(0).map(|(hash, _)| hash).collect();
        prop_assert!(hashes.is_sorted(), "a scan is in the order of the hashes");
        for (hash, value) in &model {
            prop_assert!(table.values(*hash).any(|found| found == *value));
        }
    }
}

/// As many of one subject as anybody likes: at worst, homes that nobody has stand beside them.
#[test]
fn many_equal_hashes_take_little_more_than_twice_the_room() {
    for hash in [1, 1 << 31, u32::MAX] {
        let mut table = Ordered::new(1);
        for value in 0..20_000 {
            table.insert(hash, value);
        }
        assert!(table.size() < 20_000 * 8 * 5 / 2, "{} bytes", table.size());
    }
}

/// S-01 for records of every length, from the smallest to those with many pieces, and from each to each other.
#[test]
fn records_of_every_length_come_back() {
    let store = MemoryStore::reserve(6 << 20);
    let sizes = (0..1300)
        .step_by(5)
        .chain([1_299, 2_000, 5_000, 33_333, 64 * 1024]);
    for (number, bytes) in (0..).zip(sizes) {
        for (at, of) in [
            (2 * number, None),
            (2 * number + 1, Some(["ann", "bob", "eve"][bytes % 3])),
        ] {
            let record = record(at, of, bytes, IDLE);
            create(&store, record.clone()).expect("room");
            let loaded = ready(store.load(id(at))).expect("a load").expect("there");
            assert_eq!(*loaded.record, record, "{bytes} bytes");
        }
    }
    store.audit();
    for round in 0..40_u64 {
        let number = round * 7919 % 530;
        let bytes = (round * 104_729 % 70_000) as usize;
        let expect = Expect::Security(1);
        let change = Change::of_data(sized(bytes));
        let updated = ready(store.update(id(number), expect, change, SubjectLimit::NONE, NOW));
        let Ok(Updated::Done { record, .. }) = updated else {
            panic!("{updated:?}");
        };
        let loaded = ready(store.load(id(number)))
            .expect("a load")
            .expect("there");
        assert_eq!(loaded.record, record);
        store.audit();
    }
    for number in 0..530 {
        ready(store.delete(id(number))).expect("deleted");
    }
    store.audit();
}

/// Where no page is left, a record may still shrink: a logout must not fail for want of room.
#[test]
fn what_shrinks_fits_in_a_full_store() {
    let store = MemoryStore::reserve(1 << 20);
    let mut kept = 0;
    while create(&store, record(kept, Some("ann"), 3_000, IDLE)).is_ok() {
        kept += 1;
    }
    while create(&store, named(kept, "bob")).is_ok() {
        kept += 1;
    }
    for bytes in [2_500, 1_100, 900, 10] {
        let change = Change::of_data(sized(bytes));
        let expect = Expect::Security(1);
        let updated = ready(store.update(id(0), expect, change, SubjectLimit::NONE, NOW));
        assert!(matches!(updated, Ok(Updated::Done { .. })), "{updated:?}");
        store.audit();
    }
    let loaded = ready(store.load(id(0))).expect("a load").expect("there");
    assert_eq!(loaded.record.data.get("d"), Some("\"xxxxxxxxxx\""));
}
