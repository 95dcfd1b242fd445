//! The stored form: what is written is read back, what is damaged is an error, and format 1 stays as it is.

use bytes::Bytes;
use cloakroom_core::record::DecodeError;
use cloakroom_core::{Record, SessionId};
use proptest::prelude::*;

use crate::arbitrary::{self, cbor};
use crate::hostile;
use crate::pinned::pinned;

fn id() -> SessionId {
    SessionId::from_bytes([7; 16])
}

fn decode(bytes: Vec<u8>) -> Result<Record, DecodeError> {
    Record::decode(id(), &Bytes::from(bytes))
}

proptest! {
    #![proptest_config(crate::arbitrary::config())]

    #[test]
    fn what_is_written_is_read_back(record in arbitrary::record()) {
        let encoded = record.encode();
        let read = Record::decode(record.id, &encoded).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(read.encode(), encoded);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        hostile::record(&bytes);
    }

    #[test]
    fn damaged_records_never_panic(
        record in arbitrary::record(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        kind in 0..3,
    ) {
        let mut bytes = record.encode().to_vec();
        match kind {
            0 => places.iter().for_each(|(at, value)| {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }),
            1 => bytes.truncate(cut.index(bytes.len())),
            _ => bytes.insert(cut.index(bytes.len()), places[0].1),
        }
        hostile::record(&bytes);
    }

    #[test]
    fn a_record_cut_short_or_with_a_tail_is_refused(
        record in arbitrary::record(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = record.encode();
        prop_assert!(decode(bytes[..cut.index(bytes.len())].to_vec()).is_err());
        let mut longer = bytes.to_vec();
        longer.push(0);
        prop_assert!(decode(longer).is_err());
    }
}

#[test]
fn hostile_lengths_and_depths_end_at_once() {
    let deep = |byte: u8, count: usize| {
        let mut bytes = cbor(|out| drop(out.map(1)));
        bytes.extend(cbor(|out| drop(out.u64(99))));
        bytes.extend(std::iter::repeat_n(byte, count));
        bytes
    };
    let hostile = [
        vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xbf],
        vec![
            0xa1, 0x05, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        vec![
            0xa1, 0x11, 0x9b, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        vec![0xa1, 0x05, 0x5f],
        deep(0x81, 1_000_000),
        deep(0x9f, 1_000_000),
        deep(0xbf, 1_000_000),
        deep(0xc0, 1_000_000),
        deep(0x5f, 1_000_000),
        vec![0; 17 * 1024 * 1024],
    ];
    for bytes in hostile {
        assert!(decode(bytes).is_err());
    }
}

#[test]
fn a_field_twice_or_out_of_order_is_refused() {
    for keys in [[0_u64, 0], [1, 0]] {
        let bytes = cbor(|out| {
            out.map(2).unwrap();
            for key in keys {
                out.u64(key).unwrap().u64(1).unwrap();
            }
        });
        assert_eq!(decode(bytes), Err(DecodeError::Damaged("the record")));
    }
}

#[test]
fn another_format_is_told_apart_from_damage() {
    let bytes = cbor(|out| {
        out.map(1).unwrap().u64(0).unwrap().u64(2).unwrap();
    });
    assert_eq!(decode(bytes), Err(DecodeError::Format(2)));
}

/// Stored by releases in the field: never change this vector; a new field takes a new key and a new test.
const PINNED: &str = "\
    aa0001010302590194b300020104021a00050000036473686f700463616e6e05582001010101010101010101010101010101\
    01010101010101010101010101010101068201500d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0784582002020202020202020202\
    0202020202020202020202020202020202020202020202500d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d1b000001a3185c500108\
    82582003030303030303030303030303030303030303030303030303030303030303031b000001a3185c500209020a637068\
    720b8263707764636f74700c1b000001a3185c50030d1b000001a3185c50040e1a001b77400f1b000001a31aef7e00101b00\
    0001a4e7d8a80011815884ab0001016377656202647265616403817368747470733a2f2f6170692e6578616d706c65048202\
    582005050505050505050505050505050505050505050505050505050505050505050501060207f508815824a50001011b00\
    0001a3185c5007021b000001a3185c5008038148060606060606060604010981010a1b000001a3185c50091252a2001b0000\
    01a3185c500501657468656674031b000001a3185c5006041b000001a31877c7460553a26463617274655b312c325d62c3a9\
    63227822066b4d6f7a696c6c612f352e3007693139322e302e322e3108676b69746368656e09582004040404040404040404\
    04040404040404040404040404040404040404040404";

#[test]
fn format_1_is_written_and_read_as_ever() {
    let hex: String = pinned()
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, PINNED);
    let bytes: Vec<u8> = (0..PINNED.len() / 2)
        .map(|at| u8::from_str_radix(&PINNED[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    assert_eq!(decode(bytes), Ok(pinned()));
}
