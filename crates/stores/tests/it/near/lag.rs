//! How old an answer may be, and who waits for whom. Time is the runtime's, moved by hand.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Expect, LAG, Scope, Store as _, SubjectIndex as _};
use cloakroom_core::{Record, SubjectLimit, Timestamp};
use cloakroom_stores::near_cache::{Channel, NearCache};
use tokio::time::{Instant, advance};

use super::told::Told;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const TICK: Duration = Duration::from_millis(1);

struct Two {
    store: Arc<Told>,
    near: NearCache<Told>,
    record: Record,
}

/// A session that is near on one node; others write past it, by the store.
async fn two() -> Two {
    let store = Told::new();
    let near = NearCache::new(Arc::clone(&store), 1 << 20);
    let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
    let kept = store.create(record.clone(), SubjectLimit::NONE, NOW);
    kept.await.unwrap();
    Two {
        store,
        near,
        record,
    }
}

impl Two {
    async fn seen(&self) -> Option<u64> {
        let loaded = self.near.load(self.record.id).await.unwrap();
        loaded.map(|loaded| loaded.record.version)
    }

    async fn written_elsewhere(&self) {
        let change = samples::set("a", 1);
        let any = Expect::Security(1);
        let none = SubjectLimit::NONE;
        let written = self.store.update(self.record.id, any, change, none, NOW);
        written.await.unwrap();
    }

    fn loads(&self) -> usize {
        self.store.loads.load(Ordering::SeqCst)
    }

    fn hear(&self, channel: &Arc<Channel>) {
        let channel = Arc::clone(channel);
        self.store.listen(move |word| word.deliver(&channel));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_channel_an_answer_is_less_than_a_second_old() {
    let two = two().await;
    assert_eq!(two.seen().await, Some(1));
    two.written_elsewhere().await;
    advance(LAG - TICK).await;
    assert_eq!(two.seen().await, Some(1), "near, and young enough");
    assert_eq!(two.loads(), 1);
    advance(TICK).await;
    assert_eq!(two.seen().await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_proves_itself_keeps_records_near() {
    let two = two().await;
    let channel = Arc::new(two.near.sink().open(true));
    two.hear(&channel);
    two.seen().await;
    for _ in 0..20 {
        let sent = Instant::now();
        advance(LAG / 2).await;
        channel.proven(sent);
        assert_eq!(two.seen().await, Some(1));
    }
    assert_eq!(two.loads(), 1, "near for ten seconds");
    two.written_elsewhere().await;
    assert_eq!(two.seen().await, Some(2), "told, so gone at once");
}

#[tokio::test(start_paused = true)]
async fn a_silent_channel_makes_reads_strict() {
    let two = two().await;
    let channel = two.near.sink().open(true);
    two.seen().await;
    advance(LAG / 2).await;
    channel.proven(Instant::now());
    // From here on its words are lost.
    two.written_elsewhere().await;
    advance(LAG - TICK).await;
    assert_eq!(two.seen().await, Some(1), "proven less than a second ago");
    advance(TICK).await;
    assert_eq!(two.seen().await, Some(2), "silent for a second");
}

#[tokio::test(start_paused = true)]
async fn a_record_from_before_the_channel_is_not_covered_by_it() {
    let two = two().await;
    two.seen().await;
    two.written_elsewhere().await;
    let channel = two.near.sink().open(true);
    advance(LAG).await;
    channel.proven(Instant::now());
    assert_eq!(two.seen().await, Some(2), "nobody told what came before it");
    drop(channel);
    two.written_elsewhere().await;
    advance(LAG).await;
    assert_eq!(two.seen().await, Some(3), "a closed channel covers nothing");
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_denials_does_not_cover_data() {
    let two = two().await;
    let channel = two.near.sink().open(false);
    two.seen().await;
    two.written_elsewhere().await;
    advance(LAG).await;
    channel.proven(Instant::now());
    assert_eq!(two.seen().await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_denied_scope_is_asked_for_anew() {
    let two = two().await;
    let channel = two.near.sink().open(true);
    let subject = two.record.security.subject.clone().unwrap();
    let scopes = [
        Scope::Everything,
        Scope::Subject {
            app: None,
            subject: subject.clone(),
        },
    ];
    for scope in scopes {
        two.seen().await;
        let before = two.loads();
        channel.denied(&scope);
        two.seen().await;
        assert_eq!(two.loads(), before + 1, "{scope:?}");
        two.seen().await;
        assert_eq!(two.loads(), before + 1, "{scope:?}: and is near again");
    }
    let before = two.loads();
    channel.denied(&Scope::App(samples::app("shop")));
    two.seen().await;
    assert_eq!(two.loads(), before, "no scope of his");
}

#[tokio::test(start_paused = true)]
async fn more_denials_than_are_remembered_deny_everything_before_them() {
    let two = two().await;
    let channel = two.near.sink().open(true);
    two.seen().await;
    for number in 0..5000 {
        channel.denied(&Scope::Subject {
            app: None,
            subject: samples::subject(&format!("other-{number}")),
        });
    }
    let before = two.loads();
    two.seen().await;
    assert_eq!(two.loads(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn who_misses_together_loads_once() {
    let two = Arc::new(two().await);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *two.store.gate.lock() = Some(Arc::clone(&gate));
    let readers: Vec<_> = (0..64)
        .map(|_| {
            let two = Arc::clone(&two);
            tokio::spawn(async move { two.seen().await })
        })
        .collect();
    // The first of them gives up; the others must not wait for ever.
    tokio::task::yield_now().await;
    readers[0].abort();
    gate.add_permits(1);
    for reader in readers.into_iter().skip(1) {
        assert_eq!(reader.await.unwrap(), Some(1));
    }
    assert_eq!(two.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_load_does_not_hide_this_nodes_own_write() {
    let two = Arc::new(two().await);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *two.store.gate.lock() = Some(Arc::clone(&gate));
    let slow = {
        let two = Arc::clone(&two);
        tokio::spawn(async move { two.seen().await })
    };
    while two.loads() == 0 {
        tokio::task::yield_now().await;
    }
    // The load has read version 1 and is on its way.
    let (any, none) = (Expect::Security(1), SubjectLimit::NONE);
    let change = samples::set("a", 1);
    let written = two.near.update(two.record.id, any, change, none, NOW);
    written.await.unwrap();
    *two.store.gate.lock() = None;
    assert_eq!(two.seen().await, Some(2), "his own write");
    gate.add_permits(1);
    assert_eq!(slow.await.unwrap(), Some(1), "it began before the write");
    assert_eq!(two.seen().await, Some(2), "the slow load put nothing down");
    two.near.delete(two.record.id).await.unwrap();
    assert_eq!(two.seen().await, None);
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_nothing_absent_is_kept() {
    let store = Told::new();
    let near = NearCache::new(Arc::clone(&store), 256 << 10);
    for _ in 0..2000 {
        let record = Sample::new(NOW).record();
        let id = record.id;
        store.create(record, SubjectLimit::NONE, NOW).await.unwrap();
        near.load(id).await.unwrap().unwrap();
        near.load(cloakroom_core::SessionId::from_bytes(rand::random()))
            .await
            .unwrap();
    }
    let stats = near.stats();
    assert!(stats.bytes <= 256 << 10, "{stats:?}");
    assert!((100..=256).contains(&stats.records), "{stats:?}");
    assert!(near.epoch().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_a_load_that_hangs_for_a_second() {
    let two = Arc::new(two().await);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *two.store.gate.lock() = Some(Arc::clone(&gate));
    let hanging = {
        let two = Arc::clone(&two);
        tokio::spawn(async move { two.seen().await })
    };
    while two.loads() == 0 {
        tokio::task::yield_now().await;
    }
    *two.store.gate.lock() = None;
    two.written_elsewhere().await;
    advance(LAG).await;
    assert_eq!(
        two.seen().await,
        Some(2),
        "what the other brings is too old"
    );
    gate.add_permits(1);
    assert_eq!(hanging.await.unwrap(), Some(1));
}
