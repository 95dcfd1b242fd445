//! One measurement for one process: what an earlier one leaves behind would hide what a later one takes.

use std::hint::black_box;
use std::time::Duration;

use cloakroom_core::record::Activity;
use cloakroom_core::store::memory::{MIB, MemoryStore};
use cloakroom_core::store::{Expect, ReplayGuard as _, Store as _};
use cloakroom_core::{Change, Edits, JsonText, SubjectLimit};
use serde_json::{Value, json};

use crate::flood::flood;
use crate::process::resident;
use crate::sample::{NOW, id, payload, ready, session};

/// Operations of which each figure is the average, at most.
const SAMPLE: u64 = 200_000;

/// Nanoseconds that this thread was on a processor (Linux): what others do meanwhile does not count, save for caches.
fn cpu_time() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|time| time.parse().ok()).unwrap_or(0)
}

fn each(times: u64, mut once: impl FnMut(u64)) -> u64 {
    let start = cpu_time();
    (0..times).for_each(&mut once);
    ((cpu_time() - start) / u128::from(times)) as u64
}

/// Bytes and nanoseconds with so many sessions.
pub(crate) fn sessions(count: u64, named: bool) -> Value {
    let store = MemoryStore::reserve((64 * MIB).max(512 * count as usize));
    let (fixed, before) = (store.stats().used, resident());
    let create_ns = each(count, |number| {
        let record = session(number, named, payload());
        ready(store.create(record, SubjectLimit::default(), NOW)).expect("room");
    });
    let data = session(0, named, payload()).data.encoded().len();
    let over = |bytes: usize| bytes as u64 / count - data as u64;
    let mut figures = json!({
        "sessions": count,
        "named": named,
        "data_bytes": data,
        "charged_over_data": over(store.stats().used - fixed),
        "resident_over_data": over(resident() - before),
        "create_ns": create_ns,
    });
    let spread = |number: u64| id(number.wrapping_mul(7919) % count);
    figures["load_ns"] = each(SAMPLE, |number| {
        black_box(ready(store.load(spread(number)))).expect("a load");
    })
    .into();
    figures["touch_ns"] = each(SAMPLE, |number| {
        let activity = Activity {
            last_seen: NOW,
            idle_deadline: NOW.plus(Duration::from_secs(3600)),
        };
        ready(store.touch(spread(number), activity, NOW)).expect("a touch");
    })
    .into();
    figures["update_ns"] = each(SAMPLE, |number| {
        let mut edits = Edits::new();
        edits.set("count", JsonText::of(&number).expect("a number"));
        let (change, expect) = (Change::of_data(edits), Expect::Security(1));
        let updated = store.update(spread(number), expect, change, SubjectLimit::NONE, NOW);
        ready(updated).expect("an update");
    })
    .into();
    figures["first_seen_ns"] = each(SAMPLE, |number| {
        let until = NOW.plus(Duration::from_secs(600));
        ready(store.first_seen(&number.to_le_bytes(), until, NOW)).expect("a first sight");
    })
    .into();
    let half = SAMPLE.min(count / 2);
    figures["delete_ns"] = each(half, |number| {
        ready(store.delete(spread(number))).expect("a delete");
    })
    .into();
    let over = NOW.plus(Duration::from_secs(24 * 3600));
    let swept = each(half / 100, |_| {
        ready(store.sweep(over, 100)).expect("a sweep");
    });
    figures["sweep_ns"] = (swept / 100).into();
    figures
}

/// See [`mod@crate::flood`].
pub(crate) fn flooded(anonymous: u64) -> Value {
    let flood = flood(64 * MIB, anonymous);
    json!({
        "reserved_bytes": flood.reserved,
        "used_bytes_at_most": flood.used_at_most,
        "resident_bytes_at_most": flood.resident_at_most,
        "anonymous_created": flood.anonymous_created,
        "evicted": flood.evicted,
        "named_kept": flood.named,
        "named_lost": flood.lost,
        "named_refused": flood.refused,
        "wrong_answers": flood.wrong,
    })
}
