//! What each verb costs, in steps on the file system: a step is one to three requests of an NFS client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom_core::store::Store as _;
use cloakroom_stores::files::hook::{Hook, Moment};

use super::steps::{Verb, ask, base};
use super::{folder, open_with};

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_has_its_steps() {
    let verbs = [
        (Verb::Create, 19),
        (Verb::CreateLimited, 60),
        (Verb::Update, 9),
        (Verb::Login, 12),
        (Verb::Touch, 4),
        (Verb::Delete, 13),
        (Verb::Revoke, 49),
        (Verb::See, 19),
        (Verb::PutOver, 13),
    ];
    let mut wrong = Vec::new();
    for (verb, wanted) in verbs {
        let folder = folder();
        let base = base(folder.path()).await;
        let steps = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&steps);
        let hook = Hook::new(move |step| {
            count.fetch_add(usize::from(step.moment == Moment::Before), Ordering::SeqCst);
            Ok(())
        });
        let store = open_with(folder.path(), hook).await;
        store.load(base.old.id).await.unwrap();
        steps.store(0, Ordering::SeqCst);
        store.load(base.old.id).await.unwrap();
        assert_eq!(steps.swap(0, Ordering::SeqCst), 3, "steps of a load");
        ask(&store, &base, verb).await.unwrap();
        let found = steps.load(Ordering::SeqCst);
        // Fewer where a folder that two ids share was there.
        if found > wanted {
            wrong.push(format!("{verb:?}: {found} steps, {wanted} before"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
