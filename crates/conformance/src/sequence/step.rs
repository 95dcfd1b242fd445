//! One operation of a random sequence.

use cloakroom_core::SubjectLimit;
use cloakroom_core::policy::OnFull;
use cloakroom_core::store::Scope;
use proptest::prelude::*;

use crate::kit::everywhere;
use crate::samples;

pub(super) const SLOTS: usize = 5;
pub(super) const SUBJECTS: [&str; 2] = ["ann", "ben"];
pub(super) const APPS: [Option<&str>; 2] = [None, Some("shop")];

/// What to do next; a slot is a session that the sequence knows.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create {
        slot: usize,
        who: Option<usize>,
        app: usize,
        stale: bool,
        limit: u8,
    },
    Login {
        slot: usize,
        who: usize,
        stale: bool,
        limit: u8,
    },
    Edit {
        slot: usize,
        name: u8,
        by_version: bool,
        stale: bool,
    },
    Touch {
        slot: usize,
        back: u32,
    },
    Delete {
        slot: usize,
    },
    Revoke {
        scope: usize,
        except: Option<usize>,
    },
    Advance {
        minutes: u16,
    },
    Sweep {
        limit: usize,
    },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let slot = || 0..SLOTS;
    prop_oneof![
        4 => (slot(), proptest::option::of(0..2_usize), 0..2_usize, proptest::bool::weighted(0.2), 0..4_u8)
            .prop_map(|(slot, who, app, stale, limit)| Step::Create { slot, who, app, stale, limit }),
        3 => (slot(), 0..2_usize, proptest::bool::weighted(0.2), 0..4_u8)
            .prop_map(|(slot, who, stale, limit)| Step::Login { slot, who, stale, limit }),
        4 => (slot(), 0..3_u8, any::<bool>(), proptest::bool::weighted(0.2))
            .prop_map(|(slot, name, by_version, stale)| Step::Edit { slot, name, by_version, stale }),
        2 => (slot(), 0..1200_u32).prop_map(|(slot, back)| Step::Touch { slot, back }),
        1 => slot().prop_map(|slot| Step::Delete { slot }),
        1 => (0..7_usize, proptest::option::of(slot()))
            .prop_map(|(scope, except)| Step::Revoke { scope, except }),
        2 => (0..25_u16).prop_map(|minutes| Step::Advance { minutes }),
        1 => (1..4_usize).prop_map(|limit| Step::Sweep { limit }),
    ]
}

/// A limit by number: none, one, two, or two and no more.
pub(super) fn limits(number: u8) -> SubjectLimit {
    let on_full = if number == 3 {
        OnFull::Deny
    } else {
        OnFull::EndOldest
    };
    SubjectLimit {
        max: (number > 0).then_some(u32::from(number.min(2))),
        on_full,
    }
}

/// Every scope that a sequence revokes and lists.
pub(super) fn scopes() -> [Scope; 7] {
    let shop = |subject| Scope::Subject {
        app: Some(samples::app("shop")),
        subject: samples::subject(subject),
    };
    [
        everywhere("ann"),
        everywhere("ben"),
        shop("ann"),
        shop("ben"),
        Scope::App(samples::app("shop")),
        Scope::App(samples::app("none")),
        Scope::Everything,
    ]
}
