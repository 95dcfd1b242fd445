//! Records of every shape.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::grant::{Binding, Freeze, Generation, Grant};
use cloakroom_core::record::{Derivation, Epoch, NextSecret, PreviousSecret, Secrets, Unknown};
use cloakroom_core::{
    Activity, App, Data, Device, Edits, JsonText, Record, SecretHash, Security, SessionId, Subject,
    Timestamp,
};
use minicbor::{Decoder, Encoder};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// No files beside the tests: what failed once becomes a named case.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The key of the security block in the stored form.
const SECURITY_FIELD: u64 = 2;

pub(crate) fn record() -> impl Strategy<Value = Record> {
    (
        (
            any::<[u8; 16]>(),
            any::<u64>(),
            security(),
            option::of(any::<[u8; 32]>()),
        ),
        (time(), time(), device(), data()),
        (unknown_items(), unknown_items()),
    )
        .prop_map(|(head, body, (outer, inner))| {
            let (id, version, security, security_mac) = head;
            let (last_seen, idle_deadline, device, data) = body;
            let record = Record {
                id: SessionId::from_bytes(id),
                version,
                security,
                security_mac,
                activity: Activity {
                    last_seen,
                    idle_deadline,
                },
                device,
                data,
                unknown: Unknown::default(),
            };
            with_unknown(&record, outer, inner)
        })
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => (0..4_000_000_000_000_i64).prop_map(Timestamp::from_millis),
        1 => any::<i64>().prop_map(Timestamp::from_millis),
        1 => Just(Timestamp::NEVER),
    ]
}

fn text() -> impl Strategy<Value = Box<str>> {
    "\\PC{0,12}".prop_map(String::into_boxed_str)
}

fn subject() -> impl Strategy<Value = Subject> {
    "[a-zé\u{1f5dd} ]{1,12}".prop_map(|name| Subject::new(name).expect("a subject"))
}

fn app() -> impl Strategy<Value = App> {
    "[a-z-]{1,12}".prop_map(|name| App::new(name).expect("an application"))
}

fn device() -> impl Strategy<Value = Device> {
    (option::of(text()), option::of(text()), option::of(text())).prop_map(
        |(user_agent, ip, label)| Device {
            user_agent,
            ip,
            label,
        },
    )
}

pub(crate) fn data() -> impl Strategy<Value = Data> {
    vec((text(), any::<i32>()), 0..6).prop_map(|pairs| {
        let mut edits = Edits::new();
        for (name, value) in pairs {
            edits.set(
                name,
                JsonText::of(&value).expect("a number has a JSON form"),
            );
        }
        Data::default().apply(&edits)
    })
}

fn hash() -> impl Strategy<Value = SecretHash> {
    any::<[u8; 32]>().prop_map(SecretHash::from_bytes)
}

fn derivation() -> impl Strategy<Value = Derivation> {
    (any::<u64>(), any::<[u8; 16]>()).prop_map(|(number, nonce)| Derivation { number, nonce })
}

fn secrets() -> impl Strategy<Value = Secrets> {
    let next = (hash(), derivation(), time()).prop_map(|(hash, from, issued_at)| NextSecret {
        hash,
        from,
        issued_at,
    });
    let previous = (hash(), time()).prop_map(|(hash, until)| PreviousSecret { hash, until });
    (
        hash(),
        option::of(derivation()),
        option::of(next),
        option::of(previous),
        any::<u64>(),
    )
        .prop_map(
            |(current, current_from, next, previous, renewals)| Secrets {
                current,
                current_from,
                next,
                previous,
                renewals,
            },
        )
}

fn generation() -> impl Strategy<Value = Generation> {
    (
        any::<u64>(),
        time(),
        option::of(time()),
        vec(any::<[u8; 8]>(), 0..4),
        any::<u64>(),
    )
        .prop_map(
            |(number, issued_at, retired_at, presented, overflow)| Generation {
                number,
                issued_at,
                retired_at,
                presented,
                overflow,
                unknown: Unknown::default(),
            },
        )
}

fn binding() -> impl Strategy<Value = Binding> {
    (0..3, any::<[u8; 32]>()).prop_map(|(kind, value)| match kind {
        0 => Binding::Dpop(value),
        1 => Binding::Dbsc(value),
        _ => Binding::DeviceCookie(value),
    })
}

fn grant() -> impl Strategy<Value = Grant> {
    (
        (
            any::<u64>(),
            text(),
            text(),
            vec(text(), 0..3),
            option::of(binding()),
        ),
        (
            any::<u64>(),
            any::<u64>(),
            any::<bool>(),
            vec(generation(), 0..3),
        ),
        (vec(any::<u64>(), 0..4), time()),
    )
        .prop_map(|(head, state, (events, created_at))| {
            let (id, client, scope, audience, binding) = head;
            let (epoch, generation, confirmed, generations) = state;
            Grant {
                id,
                client,
                scope,
                audience,
                binding,
                epoch,
                generation,
                confirmed,
                generations,
                events,
                created_at,
                unknown: Unknown::default(),
            }
        })
}

fn freeze() -> impl Strategy<Value = Freeze> {
    (time(), text()).prop_map(|(at, reason)| Freeze {
        at,
        reason,
        unknown: Unknown::default(),
    })
}

fn security() -> impl Strategy<Value = Security> {
    (
        (
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
            option::of(app()),
            option::of(subject()),
        ),
        (
            secrets(),
            option::of(text()),
            vec(text(), 0..4),
            option::of(time()),
            time(),
        ),
        (
            any::<u64>(),
            time(),
            time(),
            vec(grant(), 0..3),
            option::of(freeze()),
        ),
    )
        .prop_map(|(head, proof, rest)| {
            let (version, epoch, admitted, app, subject) = head;
            let (secrets, acr, amr, authenticated_at, created_at) = proof;
            let (idle, absolute_deadline, hard_cap, grants, freeze) = rest;
            Security {
                version,
                epoch,
                admitted: Epoch(admitted),
                app,
                subject,
                secrets,
                acr,
                amr,
                authenticated_at,
                created_at,
                idle_timeout: Duration::from_millis(idle),
                absolute_deadline,
                hard_cap,
                grants,
                freeze,
                unknown: Unknown::default(),
            }
        })
}

/// CBOR items of every sort, under keys that this release does not know.
fn unknown_items() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let item = prop_oneof![
        Just(vec![0xf6]),
        Just(vec![0xf9, 0x7e, 0x00]),
        Just(vec![0xc0, 0x60]),
        Just(vec![0x9f, 0x01, 0x9f, 0xff, 0xff]),
        Just(vec![0xbf, 0x61, 0x61, 0x5f, 0x41, 0x00, 0xff, 0xff]),
        Just(vec![0x81, 0x81, 0x81, 0x80]),
        any::<u64>().prop_map(|value| cbor(|out| drop(out.u64(value)))),
        vec(any::<u8>(), 0..40).prop_map(|value| cbor(|out| drop(out.bytes(&value)))),
    ];
    vec(item, 0..3)
}

pub(crate) fn cbor(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    write(&mut out);
    out.into_writer()
}

/// `record` as a later release would have written it: with fields unknown here, outside and inside the security block.
pub(crate) fn with_unknown(record: &Record, outer: Vec<Vec<u8>>, inner: Vec<Vec<u8>>) -> Record {
    let mut fields = raw_fields(&record.encode());
    for (key, item) in &mut fields {
        if *key == SECURITY_FIELD {
            let content = Decoder::new(item).bytes().expect("a byte string").to_vec();
            let mut block = raw_fields(&content);
            block.extend((1000..).zip(inner.clone()));
            let block = raw_map(&block);
            *item = cbor(|out| drop(out.bytes(&block)));
        }
    }
    fields.extend((2000..).zip(outer));
    Record::decode(record.id, &Bytes::from(raw_map(&fields))).expect("a record of a later release")
}

fn raw_fields(map: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut decoder = Decoder::new(map);
    let count = decoder.map().expect("a map").expect("a definite map");
    (0..count)
        .map(|_| {
            let key = decoder.u64().expect("a key");
            let start = decoder.position();
            decoder.skip().expect("an item");
            (key, map[start..decoder.position()].to_vec())
        })
        .collect()
}

fn raw_map(fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut map = cbor(|out| drop(out.map(fields.len() as u64)));
    for (key, item) in fields {
        map.extend(cbor(|out| drop(out.u64(*key))));
        map.extend_from_slice(item);
    }
    map
}
