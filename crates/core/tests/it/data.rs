//! Data and edits, compared with a sorted map.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloakroom_core::{Data, Edits, JsonText};
use proptest::collection::vec;
use proptest::prelude::*;

type Pairs = BTreeMap<String, String>;

#[derive(Debug, Clone)]
enum Act {
    Set(String, u8),
    Remove(String),
    Clear,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-d]", 1 => "\\PC{1,5}"]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (name(), any::<u8>()).prop_map(|(name, value)| Act::Set(name, value)),
        3 => name().prop_map(Act::Remove),
        1 => Just(Act::Clear),
    ]
}

fn edits(acts: &[Act]) -> Edits {
    let mut edits = Edits::new();
    for act in acts {
        match act {
            Act::Set(name, value) => {
                edits.set(name.as_str(), JsonText::of(value).expect("a number"));
            }
            Act::Remove(name) => edits.remove(name.as_str()),
            Act::Clear => edits.clear(),
        }
    }
    edits
}

fn model(pairs: &mut Pairs, acts: &[Act]) {
    for act in acts {
        match act {
            Act::Set(name, value) => drop(pairs.insert(name.clone(), value.to_string())),
            Act::Remove(name) => drop(pairs.remove(name)),
            Act::Clear => pairs.clear(),
        }
    }
}

fn pairs(data: &Data) -> Pairs {
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    data.iter().map(owned).collect()
}

proptest! {
    #![proptest_config(crate::arbitrary::config())]

    #[test]
    fn edits_do_what_a_map_does(first in vec(act(), 0..8), second in vec(act(), 0..8)) {
        let data = Data::default().apply(&edits(&first)).apply(&edits(&second));
        let mut wanted = Pairs::new();
        model(&mut wanted, &first);
        model(&mut wanted, &second);
        prop_assert_eq!(pairs(&data), wanted.clone());
        prop_assert_eq!(data.len(), wanted.len());
        for (name, text) in &wanted {
            prop_assert_eq!(data.get(name), Some(text.as_str()));
        }
        let read = Data::decode(data.encoded().clone());
        prop_assert_eq!(read, Ok(data));
    }

    #[test]
    fn edits_are_idempotent(before in vec(act(), 0..8), acts in vec(act(), 0..8)) {
        let once = Data::default().apply(&edits(&before)).apply(&edits(&acts));
        prop_assert_eq!(once.apply(&edits(&acts)), once);
    }

    /// Parallel requests that write different names: whichever is written first, both are there.
    #[test]
    fn edits_of_different_names_commute(
        before in vec(act(), 0..8),
        left in vec(("[a-b]", any::<u8>()), 0..4),
        right in vec(("[c-d]", any::<u8>()), 0..4),
    ) {
        let sets = |pairs: &[(String, u8)]| {
            let acts: Vec<_> = pairs.iter().map(|(name, value)| match value % 3 {
                0 => Act::Remove(name.clone()),
                _ => Act::Set(name.clone(), *value),
            }).collect();
            edits(&acts)
        };
        let data = Data::default().apply(&edits(&before));
        let (left, right) = (sets(&left), sets(&right));
        prop_assert_eq!(
            data.apply(&left).apply(&right),
            data.apply(&right).apply(&left)
        );
    }

    #[test]
    fn then_is_one_after_the_other(
        before in vec(act(), 0..6),
        first in vec(act(), 0..6),
        second in vec(act(), 0..6),
    ) {
        let data = Data::default().apply(&edits(&before));
        let joined = edits(&first).then(edits(&second));
        prop_assert_eq!(data.apply(&joined), data.apply(&edits(&first)).apply(&edits(&second)));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        crate::hostile::data(&bytes);
    }

    /// Bytes near to valid data: every name still reads, or all is refused.
    #[test]
    fn damaged_data_never_panics(
        data in crate::arbitrary::data(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut bytes = data.encoded().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        crate::hostile::data(&bytes);
    }
}

#[test]
fn forms_that_are_not_data_are_refused() {
    let hostile: [&[u8]; 10] = [
        &[],
        &[0x80],
        &[0xbf, 0xff],
        &[0xa1],
        &[0xa1, 0x61, b'a', 0x01],
        &[0xa1, 0x01, 0x61, b'a'],
        &[0xa2, 0x61, b'b', 0x60, 0x61, b'a', 0x60],
        &[0xa2, 0x61, b'a', 0x60, 0x61, b'a', 0x60],
        &[0xa1, 0x61, 0xff, 0x60],
        &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for bytes in hostile {
        assert!(
            Data::decode(Bytes::copy_from_slice(bytes)).is_err(),
            "{bytes:x?}"
        );
    }
}

#[test]
fn debug_shows_names_and_no_values() {
    let data = Data::default().apply(&edits(&[Act::Set("card".into(), 42)]));
    assert_eq!(format!("{data:?}"), r#"{"card"}"#);
    let text = JsonText::of("4111").unwrap();
    assert_eq!(format!("{text:?}"), "JsonText(6 bytes)");
}

#[test]
fn a_length_in_a_longer_form_is_damaged() {
    // {"a": "1"}, shortest; then the map's, the name's and the value's length one byte longer.
    let decoded = |bytes: &'static [u8]| Data::decode(Bytes::from_static(bytes));
    assert!(decoded(b"\xa1\x61a\x611").is_ok());
    for longer in [
        &b"\xb8\x01\x61a\x611"[..],
        b"\xa1\x78\x01a\x611",
        b"\xa1\x61a\x78\x011",
    ] {
        assert!(decoded(longer).is_err(), "{longer:?}");
    }
}
