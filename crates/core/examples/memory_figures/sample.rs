//! Sessions like those of a real site, the same in every run.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::Epoch;
use cloakroom_core::{Edits, JsonText, Policy, Record, SessionId, Subject, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The answer of a future that is ready at once, as all of the memory store are.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store is always ready"),
    }
}

/// Numbers spread like random ones (SplitMix64).
pub(crate) const fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn random(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, chunk) in bytes.chunks_mut(8).enumerate() {
        let word = number.wrapping_mul(4).wrapping_add(at as u64);
        chunk.copy_from_slice(&mixed(word).to_le_bytes());
    }
    bytes
}

pub(crate) fn id(number: u64) -> SessionId {
    let bytes = random(number);
    SessionId::from_bytes(*bytes.first_chunk().expect("32 bytes"))
}

/// Five names, 190 bytes as encoded, as in the comparison with the peers.
pub(crate) fn payload() -> Edits {
    let mut edits = Edits::new();
    for name in ["alpha", "bravo", "charlie", "delta"] {
        edits.set(name, JsonText::of(&"v".repeat(31)).expect("a text"));
    }
    edits.set("count", JsonText::of(&"v".repeat(14)).expect("a text"));
    edits
}

/// Of 64 one to 32 KiB, six to 4 KiB, the others to 512 bytes.
pub(crate) fn payload_of_any_size(number: u64) -> Edits {
    let random = mixed(!number);
    let most = match random % 64 {
        0 => 32 * 1024,
        1..7 => 4 * 1024,
        _ => 512,
    };
    let mut edits = Edits::new();
    let text = "v".repeat((random >> 8) as usize % most);
    edits.set("text", JsonText::of(&text).expect("a text"));
    edits
}

pub(crate) fn session(number: u64, named: bool, edits: Edits) -> Record {
    let what = Begin {
        proof: named.then(|| Proof::of(Subject::new(format!("user-{number}")).expect("a subject"))),
        edits,
        admitted: Epoch::ZERO,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), NOW, &random(number)).0
}
