//! What the memory store costs: bytes a session at 1 million, nanoseconds of CPU time an operation on one thread.
//!
//! `nice cargo run --release -p cloakroom-core --example memory_figures [SESSIONS [anonymous]]`

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::{Activity, Epoch};
use cloakroom_core::store::memory::{MIB, MemoryStore};
use cloakroom_core::store::{Expect, ReplayGuard as _, Store as _};
use cloakroom_core::{
    Change, Edits, JsonText, Policy, Record, SessionId, Subject, SubjectLimit, Timestamp,
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Sessions of which each operation is measured.
const SAMPLE: usize = 200_000;

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store is always ready"),
    }
}

/// Session ids spread like random ones (SplitMix64), the same in every run.
fn spread(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, chunk) in bytes.chunks_mut(8).enumerate() {
        let mut z = (number * 4 + at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes
}

/// Five names, 190 bytes as encoded, as in the comparison with the peers.
fn payload() -> Edits {
    let mut edits = Edits::new();
    for name in ["alpha", "bravo", "charlie", "delta"] {
        edits.set(name, JsonText::of(&"v".repeat(31)).expect("a text"));
    }
    edits.set("count", JsonText::of(&"v".repeat(14)).expect("a text"));
    edits
}

fn session(number: u64, named: bool) -> Record {
    let what = Begin {
        proof: named.then(|| Proof::of(Subject::new(format!("user-{number}")).expect("a subject"))),
        edits: payload(),
        admitted: Epoch::ZERO,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), NOW, &spread(number)).0
}

fn id(number: u64) -> SessionId {
    let bytes = spread(number);
    SessionId::from_bytes(*bytes.first_chunk().expect("32 bytes"))
}

/// Bytes of RAM that the process holds (Linux).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096_usize
}

/// Nanoseconds that this thread was on a processor (Linux): what others do meanwhile does not count.
fn cpu_time() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|time| time.parse().ok()).unwrap_or(0)
}

fn measure(what: &str, times: usize, mut once: impl FnMut(u64)) {
    let start = cpu_time();
    for number in 0..times as u64 {
        once(number);
    }
    let each = (cpu_time() - start) / times as u128;
    print(&format!("{what:<32}{each:>8} ns"));
}

fn size(named: bool, sessions: u64) -> MemoryStore {
    let store = MemoryStore::reserve(4096 * MIB);
    let (fixed, before) = (store.stats().used, resident());
    let start = cpu_time();
    for number in 0..sessions {
        let created = ready(store.create(session(number, named), SubjectLimit::default(), NOW));
        created.expect("room");
    }
    let each = (cpu_time() - start) / u128::from(sessions);
    let data = session(0, named).data.encoded().len();
    let charged = (store.stats().used - fixed) / sessions as usize;
    let held = (resident() - before) / sessions as usize;
    let whose = if named { "a subject each" } else { "anonymous" };
    print(&format!(
        "{sessions} sessions, {whose}, {data} bytes of data: charged {charged} bytes a session ({} over the data), \
         resident {held} ({} over); {each} ns to begin and create one",
        charged - data,
        held - data
    ));
    store
}

#[expect(clippy::print_stdout, reason = "a program that prints figures")]
fn print(line: &str) {
    println!("{line}");
}

fn main() {
    let sessions = std::env::args().nth(1).and_then(|arg| arg.parse().ok());
    let sessions: u64 = sessions.unwrap_or(1_000_000);
    // The first one only: what it leaves behind would hide what a second one takes.
    let named = std::env::args().nth(2).as_deref() != Some("anonymous");
    let store = size(named, sessions);
    let any = |number: u64| id(number.wrapping_mul(7919) % sessions);
    measure("load", SAMPLE, |number| {
        black_box(ready(store.load(any(number)))).expect("a load");
    });
    measure("touch", SAMPLE, |number| {
        let activity = Activity {
            last_seen: NOW,
            idle_deadline: NOW.plus(Duration::from_secs(3600)),
        };
        ready(store.touch(any(number), activity, NOW)).expect("a touch");
    });
    measure("update of one name", SAMPLE, |number| {
        let mut edits = Edits::new();
        edits.set("count", JsonText::of(&number).expect("a number"));
        let change = Change::of_data(edits);
        let updated = store.update(
            any(number),
            Expect::Security(1),
            change,
            SubjectLimit::NONE,
            NOW,
        );
        ready(updated).expect("an update");
    });
    measure("first_seen", SAMPLE, |number| {
        let until = NOW.plus(Duration::from_secs(600));
        ready(store.first_seen(&number.to_le_bytes(), until, NOW)).expect("a first sight");
    });
    measure("delete", SAMPLE, |number| {
        ready(store.delete(any(number))).expect("a delete");
    });
    let over = NOW.plus(Duration::from_secs(24 * 3600));
    measure("sweep of 100", SAMPLE / 100, |_| {
        ready(store.sweep(over, 100)).expect("a sweep");
    });
    drop(store);
    flood();
}

/// More sessions than a small reservation holds.
fn flood() {
    let store = MemoryStore::default();
    measure("begin, create into a full store", 2 * SAMPLE, |number| {
        ready(store.create(session(number, false), SubjectLimit::NONE, NOW)).expect("room");
    });
    print(&format!("{:?}", store.stats()));
}
