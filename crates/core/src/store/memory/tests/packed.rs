//! The packed form gives back what the encoding gives back.

use proptest::prelude::*;

use super::super::packed::{deadline, head, pack, touch, unpack};
use super::*;
use crate::App;
use crate::grant::Freeze;
use crate::record::{Activity, Derivation, Device, NextSecret, PreviousSecret, Unknown};
use crate::token::SecretHash;

fn time() -> impl Strategy<Value = Timestamp> {
    let near = 1_799_999_000_000..1_800_001_000_000_i64;
    prop_oneof![near, any::<i64>()].prop_map(Timestamp::from_millis)
}

fn counter() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, (1_u64 << 28) - 2..(1 << 28) + 2, any::<u64>()]
}

fn text() -> impl Strategy<Value = Option<Box<str>>> {
    prop::option::of(".{0,40}".prop_map(Box::from))
}

fn derivation() -> impl Strategy<Value = Derivation> {
    (counter(), any::<[u8; 16]>()).prop_map(|(number, nonce)| Derivation { number, nonce })
}

prop_compose! {
    fn with_secrets()(
        current_from in prop::option::of(derivation()),
        next in prop::option::of((any::<[u8; 32]>(), derivation(), time())),
        previous in prop::option::of((any::<[u8; 32]>(), time())),
        renewals in counter(),
        size in 0..400_usize,
    ) -> Record {
        let mut record = record(1, None, size, IDLE);
        let secrets = &mut record.security.secrets;
        secrets.current_from = current_from;
        secrets.next = next.map(|(hash, from, issued_at)| NextSecret {
            hash: SecretHash::from_bytes(hash),
            from,
            issued_at,
        });
        secrets.previous = previous.map(|(hash, until)| PreviousSecret {
            hash: SecretHash::from_bytes(hash),
            until,
        });
        secrets.renewals = renewals;
        record
    }
}

prop_compose! {
    fn records()(
        mut record in with_secrets(),
        texts in (text(), text(), text(), text()),
        amr in prop::collection::vec("[a-z]{1,9}".prop_map(Box::<str>::from), 0..4),
        names in (prop::option::of("[a-zé ]{1,60}"), prop::option::of("[a-zé ]{1,60}")),
        counters in (counter(), counter(), counter(), counter()),
        times in (time(), time(), time(), time(), time(), prop::option::of(time())),
        frozen in prop::option::weighted(0.2, ".{0,9}".prop_map(Box::<str>::from)),
    ) -> Record {
        let security = &mut record.security;
        record.device = Device { user_agent: texts.0, ip: texts.1, label: texts.2 };
        security.acr = texts.3;
        security.amr = amr;
        security.app = names.0.map(|name| App::new(name).expect("a name"));
        security.subject = names.1.map(|name| Subject::new(name).expect("a name"));
        (record.version, security.version, security.epoch) = (counters.0, counters.1, counters.2);
        security.admitted = Epoch(counters.3);
        record.activity.last_seen = times.0;
        record.activity.idle_deadline = times.1;
        security.created_at = times.2;
        security.absolute_deadline = times.3;
        security.hard_cap = times.4;
        security.authenticated_at = times.5.map(|at| if counters.0 % 3 == 0 { times.2 } else { at });
        security.freeze = frozen.map(|reason| Freeze { at: NOW, reason, unknown: Unknown::default() });
        record
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_comes_back(record in records()) {
        let packed = pack(&record);
        prop_assert_eq!(&unpack(record.id, &packed).expect("readable"), &record);
        prop_assert_eq!(deadline(&packed), record.deadline());
        let head = head(&packed).expect("readable");
        prop_assert_eq!(head.admitted, record.security.admitted);
        prop_assert_eq!(head.subject, record.security.subject.as_ref().map(Subject::as_str));
    }

    /// S-10: a use is noted where it stands, and nothing else changes.
    #[test]
    fn a_touch_moves_two_times(mut record in records(), seen in time(), deadline in time()) {
        let mut packed = pack(&record);
        let wide = packed.len();
        let activity = Activity { last_seen: seen, idle_deadline: deadline };
        touch(&mut packed, activity);
        prop_assert_eq!(packed.len(), wide);
        let touched = unpack(record.id, &packed).expect("readable");
        record.activity = record.activity.later(activity);
        if touched.activity != record.activity {
            // Near times end in the year 10889.
            let most = Timestamp::from_millis((1 << 48) - 1);
            record.activity.last_seen = record.activity.last_seen.min(most);
            record.activity.idle_deadline = record.activity.idle_deadline.min(most);
        }
        prop_assert_eq!(touched, record);
    }

    /// S-16: whatever happens to the bytes, reading them is an error or a record, never a panic.
    #[test]
    fn damage_never_panics(record in records(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut packed = pack(&record);
        let at = at.index(packed.len());
        if cut {
            packed.truncate(at);
        } else {
            packed[at] = byte;
        }
        let _ = unpack(record.id, &packed);
        let _ = deadline(&packed);
        let _ = head(&packed).map(|head| head.admitted);
    }
}

#[test]
fn it_is_smaller_than_the_encoding() {
    let mut record = record(1, Some("a1b2c3d4"), 0, IDLE);
    record.security.admitted = Epoch::ZERO;
    let (packed, encoded) = (pack(&record).len(), record.encode().len());
    assert!(packed <= 84, "{packed} bytes");
    assert!(packed * 3 <= encoded * 2, "{packed} of {encoded} bytes");
}
