//! `kill -9` at every step of every verb: each is done whole or not at all, and can be asked again.
//!
//! A verb runs on a copy of one folder, and from its nth step on nothing of it happens any more; once so that the nth
//! step was not done, once so that it was. Then the folder is opened anew.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::lifecycle::{Proof, authenticate};
use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Expect, Expected, Kind, Registry, ReplayGuard as _, Scope, Store as _, StoreError, SubjectIndex,
};
use cloakroom_core::{Activity, Policy, Record, SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::hook::{Hook, Moment};

use super::{NOW, folder, open, open_with};

const NONE: SubjectLimit = SubjectLimit::NONE;
const TWO: SubjectLimit = SubjectLimit {
    max: Some(2),
    on_full: OnFull::EndOldest,
};

/// What every folder has to begin with: two sessions of ann, an anonymous one, an entry.
pub(super) struct Base {
    pub(super) old: Record,
    young: Record,
    anonymous: Record,
    new: Record,
}

fn ann() -> Scope {
    Scope::Subject {
        app: None,
        subject: samples::subject("ann"),
    }
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(std::time::Duration::from_secs(seconds))
}

pub(super) async fn base(path: &Path) -> Base {
    let store = open(path).await;
    let of_ann = |at| Sample::new(at).of("ann", Epoch::ZERO).record();
    let base = Base {
        old: of_ann(later(1)),
        young: of_ann(later(2)),
        anonymous: Sample::new(later(3)).record(),
        new: of_ann(later(4)),
    };
    for record in [&base.old, &base.young, &base.anonymous] {
        store.create(record.clone(), NONE, NOW).await.unwrap();
    }
    let any = Expected::Anything;
    let value = Some(Bytes::from_static(b"one"));
    store
        .put(Kind::User, "there", any, value, None, NOW)
        .await
        .unwrap();
    base
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Create,
    CreateLimited,
    Update,
    Login,
    LoginLimited,
    Touch,
    Delete,
    Revoke,
    RevokeExcept,
    PutNew,
    PutOver,
    Remove,
    Sweep,
    See,
}

pub(super) const VERBS: [Verb; 14] = [
    Verb::Create,
    Verb::CreateLimited,
    Verb::Update,
    Verb::Login,
    Verb::LoginLimited,
    Verb::Touch,
    Verb::Delete,
    Verb::Revoke,
    Verb::RevokeExcept,
    Verb::PutNew,
    Verb::PutOver,
    Verb::Remove,
    Verb::Sweep,
    Verb::See,
];

/// When the sweep comes, the old session alone is over.
fn sweep_at(base: &Base) -> Timestamp {
    base.old.deadline()
}

pub(super) async fn ask(store: &FilesStore, base: &Base, verb: Verb) -> Result<(), StoreError> {
    let value = || Some(Bytes::from_static(b"two"));
    let put = |name: &'static str, value| {
        store.put(Kind::User, name, Expected::Anything, value, None, NOW)
    };
    let login = |limit| {
        let proof = Proof::of(samples::subject("ann"));
        let random = [7; 64];
        let record = &base.anonymous;
        let (policy, at) = (Policy::default(), later(5));
        let change = authenticate(
            record,
            &proof,
            Epoch::ZERO,
            &policy,
            at,
            &random_of(&random),
        )
        .change;
        store.update(record.id, Expect::Security(1), change, limit, later(5))
    };
    match verb {
        Verb::Create => store.create(base.new.clone(), NONE, NOW).await.map(drop),
        Verb::CreateLimited => store.create(base.new.clone(), TWO, NOW).await.map(drop),
        Verb::Update => {
            let change = samples::set("a", 1);
            let update = store.update(base.old.id, Expect::Version(1), change, NONE, NOW);
            update.await.map(drop)
        }
        Verb::Login => login(NONE).await.map(drop),
        Verb::LoginLimited => login(TWO).await.map(drop),
        Verb::Touch => {
            let activity = Activity {
                last_seen: later(60),
                idle_deadline: later(60).plus(samples::IDLE),
            };
            store.touch(base.old.id, activity, NOW).await.map(drop)
        }
        Verb::Delete => store.delete(base.old.id).await.map(drop),
        Verb::Revoke => store.revoke_all(ann(), None, NOW).await.map(drop),
        Verb::RevokeExcept => store
            .revoke_all(ann(), Some(base.old.id), NOW)
            .await
            .map(drop),
        Verb::PutNew => put("new", value()).await.map(drop),
        Verb::PutOver => put("there", value()).await.map(drop),
        Verb::Remove => put("there", None).await.map(drop),
        Verb::Sweep => store.sweep(sweep_at(base), 10).await.map(drop),
        Verb::See => store.first_seen(b"key", later(600), NOW).await.map(drop),
    }
}

/// Chance, always the same.
fn random_of<T>(_: &[u8; 64]) -> T
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    use rand::{RngExt as _, SeedableRng as _};
    rand::rngs::StdRng::seed_from_u64(7).random()
}

/// What can be seen of a folder, but for versions and epochs, which may go on without anything having happened.
#[derive(Debug, PartialEq)]
struct Seen {
    listed: Vec<SessionId>,
    all: Vec<SessionId>,
    records: Vec<String>,
    entries: Vec<(Box<str>, Bytes)>,
}

async fn observe(store: &FilesStore, base: &Base) -> Seen {
    let ids = async |scope| {
        let listed = SubjectIndex::list(store, scope, None, 100, NOW)
            .await
            .unwrap();
        listed
            .records
            .iter()
            .map(|record| record.id)
            .collect::<Vec<_>>()
    };
    // First: it finishes a login that was under way.
    let listed = ids(ann()).await;
    let mut records = Vec::new();
    for record in [&base.old, &base.young, &base.anonymous, &base.new] {
        let found = store.load(record.id).await.unwrap();
        let live = found.filter(|it| it.record.security.admitted >= it.not_before);
        let shown = live.map(|it| {
            let record = &it.record;
            let subject = record.security.subject.clone();
            format!(
                "{subject:?} {:?} {:?}",
                record.data.get("a"),
                record.activity
            )
        });
        records.push(format!("{shown:?}"));
    }
    let entries = Registry::list(store, Kind::User, None, 10, NOW)
        .await
        .unwrap();
    Seen {
        listed,
        all: ids(Scope::Everything).await,
        records,
        entries: entries
            .into_iter()
            .map(|entry| (entry.name, entry.value))
            .collect(),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// S-15.
#[tokio::test(flavor = "multi_thread")]
async fn s_15_a_crash_at_every_step_of_every_verb() {
    let folder = folder();
    let origin = folder.path().join("origin");
    let base = base(&origin).await;
    let mut crashes = 0;
    for verb in VERBS {
        let whole = folder.path().join("whole");
        copy(&origin, &whole);
        let store = open(&whole).await;
        let before = observe(&store, &base).await;
        ask(&store, &base, verb).await.unwrap();
        let after = observe(&store, &base).await;
        drop(store);
        fs::remove_dir_all(&whole).unwrap();
        let mut finished = false;
        for at in 1.. {
            for done in [false, true] {
                let path = folder.path().join(format!("{verb:?} {at} {done}"));
                copy(&origin, &path);
                let steps = Arc::new(AtomicUsize::new(0));
                // Opening has steps of its own, which are not what is asked for here.
                let dying = Arc::new(AtomicUsize::new(usize::MAX));
                let store = open_dying(&path, &steps, &dying, done).await;
                steps.store(0, Ordering::SeqCst);
                dying.store(at, Ordering::SeqCst);
                let answer = ask(&store, &base, verb).await;
                drop(store);
                let reached = steps.load(Ordering::SeqCst) >= at;
                let what = format!("{verb:?}, step {at}, done: {done}");
                check(&path, &base, verb, answer.is_ok(), [&before, &after], &what).await;
                fs::remove_dir_all(&path).unwrap();
                crashes += usize::from(reached);
                finished = !reached;
            }
            if finished {
                break;
            }
        }
    }
    println!("{crashes} crashes");
    assert!(crashes > 300, "only {crashes} crashes");
}

/// Dead from the `last`th step on, which is done where `done` says so.
async fn open_dying(
    path: &Path,
    steps: &Arc<AtomicUsize>,
    last: &Arc<AtomicUsize>,
    done: bool,
) -> FilesStore {
    let (steps, last) = (Arc::clone(steps), Arc::clone(last));
    let hook = Hook::new(move |step| {
        let last = last.load(Ordering::SeqCst);
        let number = match step.moment {
            Moment::Before => steps.fetch_add(1, Ordering::SeqCst) + 1,
            Moment::After => steps.load(Ordering::SeqCst),
        };
        let alive = number < last || number == last && done && step.moment == Moment::Before;
        alive
            .then_some(())
            .ok_or_else(|| io::ErrorKind::TimedOut.into())
    });
    open_with(path, hook).await
}

async fn check(
    path: &Path,
    base: &Base,
    verb: Verb,
    answered: bool,
    [before, after]: [&Seen; 2],
    what: &str,
) {
    let store = open(path).await;
    let found = observe(&store, base).await;
    if answered {
        assert_eq!(&found, after, "{what}: what was answered");
    } else {
        assert!(
            &found == before || &found == after,
            "{what}: neither before nor after: {found:#?}\nbefore: {before:#?}\nafter: {after:#?}"
        );
    }
    ask(&store, base, verb).await.unwrap();
    let again = observe(&store, base).await;
    assert_eq!(&again, after, "{what}: asked again");
    if matches!(verb, Verb::See) {
        let first = store.first_seen(b"key", later(600), NOW).await.unwrap();
        assert!(!first, "{what}: a key is new twice");
    }
}
