//! After any sequence of operations, what is charged is what is held, and never beyond the reservation.

use proptest::prelude::*;

use super::*;
use crate::App;
use crate::change::Change;
use crate::policy::OnFull;
use crate::record::Activity;
use crate::store::{Expect, ReplayGuard as _, Scope, SubjectIndex as _};

const NAMES: [&str; 4] = ["ann", "bob", "a subject with a long name indeed", "eve"];

#[derive(Debug, Clone)]
enum Op {
    Create {
        number: u64,
        of: Option<usize>,
        app: bool,
        bytes: usize,
        idle: u64,
        max: u32,
    },
    Write {
        number: u64,
        bytes: usize,
    },
    Login {
        number: u64,
        of: Option<usize>,
        max: u32,
    },
    Touch {
        number: u64,
    },
    Load {
        number: u64,
    },
    Delete {
        number: u64,
    },
    Sweep {
        limit: usize,
    },
    Revoke {
        of: Option<usize>,
        app: bool,
        except: u64,
    },
    Seen {
        key: u8,
        secs: u64,
    },
    Wait {
        secs: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let number = || 0..60_u64;
    let of = || prop::option::of(0..NAMES.len());
    let bytes = || prop_oneof![4 => 0..300_usize, 1 => 0..20_000_usize];
    prop_oneof![
        8 => (number(), of(), any::<bool>(), bytes(), 1..2_000_u64, 1..5_u32).prop_map(
            |(number, of, app, bytes, idle, max)| Op::Create { number, of, app, bytes, idle, max }
        ),
        3 => (number(), bytes()).prop_map(|(number, bytes)| Op::Write { number, bytes }),
        2 => (number(), of(), 1..5_u32).prop_map(|(number, of, max)| Op::Login { number, of, max }),
        2 => number().prop_map(|number| Op::Touch { number }),
        2 => number().prop_map(|number| Op::Load { number }),
        2 => number().prop_map(|number| Op::Delete { number }),
        1 => (0..20_usize).prop_map(|limit| Op::Sweep { limit }),
        1 => (of(), any::<bool>(), number()).prop_map(|(of, app, except)| Op::Revoke { of, app, except }),
        2 => (any::<u8>(), 0..500_u64).prop_map(|(key, secs)| Op::Seen { key, secs }),
        1 => (0..900_u64).prop_map(|secs| Op::Wait { secs }),
    ]
}

fn app(set: bool) -> Option<App> {
    set.then(|| App::new("shop").expect("an application"))
}

#[expect(clippy::too_many_lines, reason = "one arm an operation")]
fn run(store: &MemoryStore, op: &Op, now: &mut Timestamp) {
    let limit = |max| SubjectLimit {
        max: Some(max),
        on_full: OnFull::EndOldest,
    };
    match *op {
        Op::Create {
            number,
            of,
            app: set,
            bytes,
            idle,
            max,
        } => {
            let mut record = record(
                number,
                of.map(|of| NAMES[of]),
                bytes,
                Duration::from_secs(idle),
            );
            record.security.app = app(set);
            record.activity.idle_deadline = now.plus(Duration::from_secs(idle));
            record.security.absolute_deadline = now.plus(Duration::from_secs(5000));
            let _ = ready(store.create(record, limit(max), *now));
        }
        Op::Write { number, bytes } => {
            let change = Change::of_data(sized(bytes));
            let expect = Expect::Security(1);
            let _ = ready(store.update(id(number), expect, change, SubjectLimit::NONE, *now));
        }
        Op::Login { number, of, max } => {
            let Some(loaded) = ready(store.load(id(number))).expect("a load") else {
                return;
            };
            let mut security = loaded.record.security.clone();
            let expect = Expect::Security(security.version);
            security.subject = of.map(|of| subject(NAMES[of]));
            security.version += 1;
            let change = Change {
                security: Some(security),
                ..Change::default()
            };
            let _ = ready(store.update(id(number), expect, change, limit(max), *now));
        }
        Op::Touch { number } => {
            let activity = Activity {
                last_seen: *now,
                idle_deadline: now.plus(IDLE),
            };
            let _ = ready(store.touch(id(number), activity, *now));
        }
        Op::Load { number } => {
            let _ = is_there(store, number);
        }
        Op::Delete { number } => {
            let _ = ready(store.delete(id(number)));
        }
        Op::Sweep { limit } => {
            let swept = ready(store.sweep(*now, limit)).expect("a sweep");
            assert!(swept.removed.len() <= limit);
            assert!(swept.removed.iter().all(|gone| gone.deadline <= *now));
        }
        Op::Revoke {
            of,
            app: set,
            except,
        } => {
            let scope = match (of, app(set)) {
                (Some(of), app) => Scope::Subject {
                    app,
                    subject: subject(NAMES[of]),
                },
                (None, Some(app)) => Scope::App(app),
                (None, None) => Scope::Everything,
            };
            ready(store.revoke_all(scope, Some(id(except)), *now)).expect("always carried out");
        }
        Op::Seen { key, secs } => {
            let until = now.plus(Duration::from_secs(secs));
            let _ = ready(store.first_seen(&[key; 9], until, *now));
        }
        Op::Wait { secs } => *now = now.plus(Duration::from_secs(secs)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_charged_is_what_is_held(
        ops in prop::collection::vec(op(), 1..150),
        room in 5_000..150_000_usize,
        shards in prop::sample::select(vec![1_usize, 4]),
        full in prop::sample::select(vec![Full::Evict, Full::Reject]),
        max_sessions in prop_oneof![Just(usize::MAX), 1..30_usize],
    ) {
        let fixed = crate::store::memory::state::State::fixed(0, shards);
        let store = MemoryStore::builder()
            .reserve(fixed + room)
            .max_sessions(max_sessions)
            .full(full)
            .with_shards(shards);
        let mut now = NOW;
        for op in &ops {
            let live_named = live_named(&store, now);
            run(&store, op, &mut now);
            store.audit();
            let adds_only = matches!(op, Op::Seen { .. } | Op::Write { .. });
            if adds_only {
                prop_assert_eq!(live_named, self::live_named(&store, now), "one with a subject went");
            }
        }
        // Nothing is left behind when everything is over.
        let end = now.plus(Duration::from_secs(500 * 24 * 3600));
        while ready(store.sweep(end, 7)).expect("a sweep").more {}
        store.audit();
        prop_assert_eq!(store.stats().sessions, 0);
        while store.state.replay.lock().earliest() < i64::MAX {
            ready(store.sweep(end, 7)).expect("a sweep");
        }
        store.audit();
    }
}

fn live_named(store: &MemoryStore, now: Timestamp) -> usize {
    let mut live = 0;
    store.state.scan(|slot| {
        live += usize::from(!slot.is_anonymous() && !over(&slot, now));
    });
    live
}

/// A flood and its end give nearly everything back: tables shrink, chunks go.
#[test]
fn memory_comes_back() {
    let store = MemoryStore::reserve(64 * crate::store::memory::MIB);
    let before = store.stats().used;
    for number in 0..20_000 {
        create(&store, named(number, &format!("subject {number}"))).expect("room");
    }
    store.audit();
    let full = store.stats().used;
    for number in 0..20_000 {
        ready(store.delete(id(number))).expect("deleted");
    }
    store.audit();
    let left = store.stats().used - before;
    assert!(left * 20 < full, "{left} bytes of {full} are left");
}
