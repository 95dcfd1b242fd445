//! Two nodes on one store, one of them with a near cache that nobody tells anything: what it shows may be a second old,
//! and yet it turns nobody away who may come in.

use std::sync::Arc;

use cloakroom::core::change::Edits;
use cloakroom::core::lifecycle::{Begin, Proof};
use cloakroom::core::store::memory::{MIB, MemoryStore};
use cloakroom::core::store::{DynStore, Scope};
use cloakroom::core::{JsonText, Subject};
use cloakroom::service::{Cause, Error, Sessions, Started, Target, Verified};
use cloakroom_stores::near_cache::NearCache;

struct Nodes {
    far: Sessions,
    near: Sessions,
    started: Started,
}

/// A session that both nodes have seen.
async fn nodes() -> Nodes {
    let store = Arc::new(MemoryStore::reserve(8 * MIB));
    let cache = NearCache::new(Arc::clone(&store), 1 << 20);
    let far = Sessions::builder_on(DynStore::from_arc(store)).build();
    let near = Sessions::builder_on(DynStore::new(cache)).build();
    let started = far.create(&Begin::default()).await.unwrap();
    assert!(matches!(
        near.verify(&started.token, false).await,
        Ok(Verified::Active(_))
    ));
    Nodes { far, near, started }
}

fn edit(name: &str, value: u32) -> Edits {
    let mut edits = Edits::new();
    edits.set(name, JsonText::of(&value).unwrap());
    edits
}

#[tokio::test]
async fn a_token_from_another_node_opens_at_once() {
    let Nodes { far, near, started } = nodes().await;
    let admitted = far.admitted().await.unwrap();
    let proof = Proof::of(Subject::new("ann").unwrap());
    let target = Target::Token(&started.token);
    let login = far.authenticate(target, proof, admitted).await.unwrap();
    let Verified::Active(record) = near.verify(&login.token, false).await.unwrap() else {
        panic!("the new token is turned away by an old record");
    };
    assert_eq!(record.version, login.record.version);
}

#[tokio::test]
async fn an_if_match_is_compared_with_what_is_there_now() {
    let Nodes { far, near, started } = nodes().await;
    let target = Target::Token(&started.token);
    let written = far.update(target, edit("a", 1), None).await.unwrap();
    let newest = Some(written.version);
    near.update(target, edit("a", 2), newest).await.unwrap();
    let old = near.update(target, edit("a", 3), newest).await;
    assert!(matches!(old, Err(Error::Moved(_))), "{old:?}");
}

#[tokio::test]
async fn increments_on_two_nodes_are_not_lost() {
    let Nodes { far, near, started } = nodes().await;
    let id = Target::Id(started.record.id);
    for round in 0..40 {
        let node = if round % 2 == 0 { &far } else { &near };
        let add = |record: &cloakroom::core::Record| {
            let count: u32 = record.data.read("count").unwrap().unwrap_or(0);
            Ok(edit("count", count + 1))
        };
        node.update_with(id, add).await.unwrap();
    }
    let record = far.get(started.record.id).await.unwrap().unwrap();
    assert_eq!(record.data.read::<u32>("count").unwrap(), Some(40));
}

#[tokio::test]
async fn a_write_after_the_end_is_over_and_revives_nothing() {
    let Nodes { far, near, started } = nodes().await;
    let id = started.record.id;
    far.end(id, Cause::Revoked).await.unwrap().unwrap();
    let late = near.update(Target::Id(id), edit("a", 1), None).await;
    assert!(matches!(late, Err(Error::Ended(_))), "{late:?}");
    assert!(
        near.get(id).await.unwrap().is_none(),
        "and is gone here too"
    );
    let listed = far.list(Scope::Everything, None, 10).await.unwrap();
    assert!(listed.records.is_empty());
}
