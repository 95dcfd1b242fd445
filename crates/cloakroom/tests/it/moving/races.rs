//! Two nodes that move the same sessions, and what happens to sessions meanwhile.

use super::Moved;
use cloakroom::core::lifecycle::Begin;
use cloakroom::migrate::Moving;
use cloakroom::service::{Cause, Clock, Target, Verified};
use cloakroom::{MIB, MemoryStore, SessionToken, Sessions};
use cloakroom_conformance::{Fault, Faults, Faulty, Gate, Operation, Target as At};
use cloakroom_core::store::memory::MemoryRegistry;
use cloakroom_core::store::{DynRegistry, DynStore, Scope};
use cloakroom_core::{Edits, JsonText};
use std::sync::Arc;
use tokio::task::{JoinHandle, JoinSet};

struct Nodes {
    old: DynStore,
    before: Sessions,
    /// The first node's operations can be held.
    nodes: [(Moving, Sessions); 2],
    old_faults: Faults,
    new_faults: Faults,
}

/// A fresh pair of stores, and two nodes over it.
async fn nodes() -> Nodes {
    let clock: Arc<dyn Clock> = Arc::new(Moved::default());
    let sessions = |store: DynStore| {
        let builder = Sessions::builder_on(store);
        builder.clock(Arc::clone(&clock)).build()
    };
    let store = || Arc::new(MemoryStore::reserve(MIB));
    let (old, new) = (store(), store());
    let registry = DynRegistry::new(MemoryRegistry::default());
    let (old_faults, new_faults) = (Faults::default(), Faults::default());
    let node = async |old: DynStore, new: DynStore| {
        let begun = Moving::begin(old, new, registry.clone(), Arc::clone(&clock));
        let moving = begun.await.unwrap();
        let sessions = sessions(DynStore::new(moving.clone()));
        (moving, sessions)
    };
    let held = |store: &Arc<MemoryStore>, faults: &Faults| {
        DynStore::new(Faulty::sharing(Arc::clone(store), faults.clone()))
    };
    let first = node(held(&old, &old_faults), held(&new, &new_faults)).await;
    let old = DynStore::from_arc(old);
    let second = node(old.clone(), DynStore::from_arc(new)).await;
    Nodes {
        nodes: [first, second],
        before: sessions(old.clone()),
        old,
        old_faults,
        new_faults,
    }
}

/// Every operation that the mover does, before and after it takes effect: of the new store, and of the old one.
fn steps() -> Vec<(bool, Fault, Gate)> {
    let mut steps = Vec::new();
    for (is_new, operation, times) in [
        (false, Operation::Load, 1),
        (true, Operation::Load, 3),
        (true, Operation::Create, 1),
        (true, Operation::Update, 1),
        (false, Operation::Delete, 1),
    ] {
        for nth in 1..=times {
            for after in [false, true] {
                let gate = Gate::new();
                let fault = Fault::hold(&gate).on(At::Only(operation)).nth(nth);
                let fault = if after { fault.after_effect() } else { fault };
                steps.push((is_new, fault, gate));
            }
        }
    }
    steps
}

/// The first node moves the session and stands still at a step. What happens then?
async fn at_each_step(then: impl AsyncFn(usize, Nodes, SessionToken, JoinHandle<bool>, Gate)) {
    for (number, (is_new, fault, gate)) in steps().into_iter().enumerate() {
        let nodes = nodes().await;
        let token = begin(&nodes.before).await;
        let faults = if is_new {
            &nodes.new_faults
        } else {
            &nodes.old_faults
        };
        faults.add(fault);
        let (sessions, its) = (nodes.nodes[0].1.clone(), token.clone());
        let mover = tokio::spawn(async move { is_live(&sessions, &its).await });
        let arrived =
            tokio::time::timeout(std::time::Duration::from_secs(5), gate.arrived(1)).await;
        assert!(arrived.is_ok(), "step {number} is not taken");
        then(number, nodes, token, mover, gate).await;
    }
}

/// A session ends at one node while another one moves it: it never opens again.
#[tokio::test]
async fn what_ends_at_any_step_stays_ended() {
    for revokes in [false, true] {
        at_each_step(async |step, nodes, token, mover, gate| {
            let sessions = &nodes.nodes[1].1;
            if revokes {
                sessions.revoke_all(Scope::Everything, None).await.unwrap();
            } else {
                let ended = sessions.end(token.id(), Cause::Ended).await.unwrap();
                assert!(ended.is_some(), "step {step}: it was there");
            }
            assert!(!is_live(sessions, &token).await, "step {step}: at once");
            gate.open();
            mover.await.unwrap();
            for (_, sessions) in &nodes.nodes {
                assert!(!is_live(sessions, &token).await, "step {step}");
            }
        })
        .await;
    }
}

/// A node dies at any step: the next one goes on, and nobody is logged out.
#[tokio::test]
async fn a_move_that_dies_at_any_step_is_finished() {
    at_each_step(async |step, nodes, token, mover, _gate| {
        mover.abort();
        drop(mover.await);
        let (moving, sessions) = &nodes.nodes[1];
        assert!(is_live(sessions, &token).await, "step {step}");
        moving.all(&mut |_| {}).await.unwrap();
        let left = nodes
            .old
            .list(Scope::Everything, None, 1, sessions.now())
            .await;
        assert!(left.unwrap().records.is_empty(), "step {step}");
        let record = sessions.get(token.id()).await.unwrap().unwrap();
        assert_eq!(
            (record.version, record.data.len()),
            (1, 0),
            "step {step}: as it was"
        );
    })
    .await;
}

/// Another node moves and writes meanwhile: its write stands.
#[tokio::test]
async fn a_write_at_any_step_is_kept() {
    at_each_step(async |step, nodes, token, mover, gate| {
        let sessions = &nodes.nodes[1].1;
        increment(sessions, &token).await;
        gate.open();
        assert!(mover.await.unwrap(), "step {step}");
        for (_, sessions) in &nodes.nodes {
            let record = sessions.get(token.id()).await.unwrap().unwrap();
            assert_eq!(
                record.data.read::<u64>("n").unwrap(),
                Some(1),
                "step {step}"
            );
        }
    })
    .await;
}

async fn begin(sessions: &Sessions) -> SessionToken {
    let admitted = sessions.admitted().await.unwrap();
    let begin = Begin {
        admitted,
        ..Begin::default()
    };
    sessions.create(&begin).await.unwrap().token
}

async fn is_live(sessions: &Sessions, token: &SessionToken) -> bool {
    let verified = sessions.verify(token, false).await.unwrap();
    matches!(verified, Verified::Active(_))
}

/// Increments at both nodes while the session moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_increment_is_lost_on_the_way() {
    for _ in 0..20 {
        let Nodes {
            before, nodes, old, ..
        } = nodes().await;
        let mut tokens = Vec::new();
        for _ in 0..8 {
            tokens.push(begin(&before).await);
        }
        let mut work = JoinSet::new();
        for (moving, sessions) in nodes.clone() {
            work.spawn(async move {
                moving.all(&mut |_| {}).await.unwrap();
            });
            for token in tokens.clone() {
                let sessions = sessions.clone();
                work.spawn(async move {
                    for _ in 0..10 {
                        increment(&sessions, &token).await;
                    }
                });
            }
        }
        work.join_all().await;
        for token in &tokens {
            let record = nodes[0].1.get(token.id()).await.unwrap().unwrap();
            assert_eq!(record.data.read::<u64>("n").unwrap(), Some(20));
            assert_eq!(record.data.len(), 1, "the mark is gone");
        }
        let left = old.list(Scope::Everything, None, 100, before.now()).await;
        assert!(left.unwrap().records.is_empty(), "nothing is left behind");
    }
}

async fn increment(sessions: &Sessions, token: &SessionToken) {
    let done = sessions.update_with(Target::Token(token), |record| {
        let n = record.data.read::<u64>("n").unwrap().unwrap_or(0) + 1;
        let mut edits = Edits::new();
        edits.set("n", JsonText::of(&n).unwrap());
        Ok(edits)
    });
    done.await.unwrap();
}
