//! Tests of what the suite cannot see: accounting, eviction, the packed form.

mod accounting;
mod eviction;
mod ordered;
mod packed;
mod threads;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::state::over;
use super::{Full, MemoryStore};
use crate::change::Edits;
use crate::lifecycle::{Begin, Proof, begin};
use crate::policy::{Policy, SubjectLimit};
use crate::record::{Epoch, Record};
use crate::store::{Created, ErrorKind, Store as _, StoreError};
use crate::{JsonText, SessionId, Subject, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_123);

/// The answer of a future that is ready at once, as all of this store are.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store made its caller wait"),
    }
}

fn subject(name: &str) -> Subject {
    Subject::new(name).expect("a subject")
}

fn id(number: u64) -> SessionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// Data of about `bytes` bytes.
fn sized(bytes: usize) -> Edits {
    let mut edits = Edits::new();
    edits.set("d", JsonText::of(&"x".repeat(bytes)).expect("a text"));
    edits
}

/// Session `number`, of a subject or of nobody, that ends after `idle`.
fn record(number: u64, of: Option<&str>, bytes: usize, idle: Duration) -> Record {
    let what = Begin {
        proof: of.map(|name| Proof::of(subject(name))),
        edits: sized(bytes),
        idle_timeout: Some(idle),
        admitted: Epoch(u64::MAX),
        ..Begin::default()
    };
    let (mut record, _) = begin(&what, &Policy::default(), NOW, &[7; 32]);
    record.id = id(number);
    record
}

const IDLE: Duration = Duration::from_secs(600);

fn anonymous(number: u64) -> Record {
    record(number, None, 100, IDLE)
}

fn named(number: u64, name: &str) -> Record {
    record(number, Some(name), 100, IDLE)
}

fn create(store: &MemoryStore, record: Record) -> Result<Created, StoreError> {
    ready(store.create(record, SubjectLimit::NONE, NOW))
}

fn is_there(store: &MemoryStore, number: u64) -> bool {
    ready(store.load(id(number))).expect("a load").is_some()
}

#[track_caller]
fn assert_full<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert_eq!(answer.expect_err("refused").kind(), ErrorKind::Full);
}

impl MemoryStore {
    /// Recomputes from scratch what is charged, and checks that all orders and counts agree.
    #[track_caller]
    fn audit(&self) {
        let state = &self.state;
        let stats = self.stats();
        let page = state.account.pool.cost();
        let mut used = super::state::State::fixed(stats.reserved, state.cells.len());
        let (mut sessions, mut anonymous, mut evict) = (0, 0, 0);
        let mut owned = Vec::new();
        for cell in &state.cells {
            let shard = cell.lock();
            shard.check();
            used += shard.size(page);
            shard.scan(0, usize::MAX, |slot| {
                sessions += 1;
                if slot.is_anonymous() {
                    anonymous += 1;
                    evict += slot.shape().size();
                } else {
                    owned.push((state.ids.place(slot.id()), state.owner_of(&slot)));
                }
            });
        }
        for (place, owner) in &owned {
            let mut held = state.index(*owner, 0);
            let index = held.of(*owner).expect("held");
            assert!(index.of(*owner).contains(place));
        }
        let indexes = state.indexes.iter();
        let (size, len) = indexes.fold((0, 0), |(size, len), index| {
            let index = index.lock();
            (size + index.size(), len + index.len())
        });
        used += size;
        assert_eq!(
            len,
            owned.len(),
            "the index has one entry for each session with a subject"
        );
        let seen = state.replay.lock();
        seen.check();
        used += seen.size(page);
        used += state.not_before.read().size();
        used += state.account.pool.size();
        assert_eq!(stats.sessions, sessions);
        assert_eq!(stats.anonymous, anonymous);
        assert_eq!(state.account.evictable(), evict);
        assert_eq!(stats.used, used, "charged is not what is held");
        let held = used + state.account.pool.kept();
        assert!(held <= stats.reserved, "beyond the reservation");
    }
}
