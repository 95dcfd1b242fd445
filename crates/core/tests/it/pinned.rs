//! One record with every field of format 1.

use cloakroom_core::grant::{Binding, Freeze, Generation, Grant};
use cloakroom_core::record::{Derivation, Epoch, NextSecret, PreviousSecret, Secrets, Unknown};
use cloakroom_core::{
    Activity, App, Data, Device, Edits, JsonText, Record, SecretHash, Security, SessionId, Subject,
    Timestamp,
};

/// One record with every field of format 1, all values fixed.
pub(crate) fn pinned() -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&[1, 2]).expect("valid"));
    edits.set("é", JsonText::of("x").expect("valid"));
    let at = Timestamp::from_millis;
    let from = |number| Derivation {
        number,
        nonce: [0x0d; 16],
    };
    Record {
        id: SessionId::from_bytes([7; 16]),
        version: 3,
        security: Security {
            version: 2,
            epoch: 4,
            admitted: Epoch(5 << 16),
            app: Some(App::new("shop").expect("valid")),
            subject: Some(Subject::new("ann").expect("valid")),
            secrets: Secrets {
                current: SecretHash::from_bytes([0x01; 32]),
                current_from: Some(from(1)),
                next: Some(NextSecret {
                    hash: SecretHash::from_bytes([0x02; 32]),
                    from: from(2),
                    issued_at: at(1_800_000_000_001),
                }),
                previous: Some(PreviousSecret {
                    hash: SecretHash::from_bytes([0x03; 32]),
                    until: at(1_800_000_000_002),
                }),
                renewals: 2,
            },
            acr: Some("phr".into()),
            amr: vec!["pwd".into(), "otp".into()],
            authenticated_at: Some(at(1_800_000_000_003)),
            created_at: at(1_800_000_000_004),
            idle_timeout: std::time::Duration::from_secs(1800),
            absolute_deadline: at(1_800_043_200_000),
            hard_cap: at(1_807_776_000_000),
            grants: vec![grant()],
            freeze: Some(Freeze {
                at: at(1_800_000_000_005),
                reason: "theft".into(),
                unknown: Unknown::default(),
            }),
            unknown: Unknown::default(),
        },
        security_mac: Some([0x04; 32]),
        activity: Activity {
            last_seen: at(1_800_000_000_006),
            idle_deadline: at(1_800_001_800_006),
        },
        device: Device {
            user_agent: Some("Mozilla/5.0".into()),
            ip: Some("192.0.2.1".into()),
            label: Some("kitchen".into()),
        },
        data: Data::default().apply(&edits),
        unknown: Unknown::default(),
    }
}

fn grant() -> Grant {
    Grant {
        id: 1,
        client: "web".into(),
        scope: "read".into(),
        audience: vec!["https://api.example".into()],
        binding: Some(Binding::DeviceCookie([0x05; 32])),
        epoch: 1,
        generation: 2,
        confirmed: true,
        generations: vec![Generation {
            number: 1,
            issued_at: Timestamp::from_millis(1_800_000_000_007),
            retired_at: Some(Timestamp::from_millis(1_800_000_000_008)),
            presented: vec![[0x06; 8]],
            overflow: 1,
            unknown: Unknown::default(),
        }],
        events: vec![1],
        created_at: Timestamp::from_millis(1_800_000_000_009),
        unknown: Unknown::default(),
    }
}
