//! A writer who stops just before the step that decides, and wakes up much later: he has lost, whatever was done in
//! between, and knows it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Created, ErrorKind, Expect, Kind, Put, Registry as _, ReplayGuard as _, Scope, Store as _,
    StoreError, SubjectIndex, Updated,
};
use cloakroom_core::{Record, SubjectLimit};
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::hook::Step;
use cloakroom_stores::files::hook::{Hook, Moment};
use tempfile::TempDir;

use super::{NOW, folder, open, open_with};

const NONE: SubjectLimit = SubjectLimit::NONE;

/// Stops at the first step that `at` names, until it is told to go on.
pub(super) struct Freezer {
    pub(super) hook: Hook,
    pub(super) frozen: Receiver<()>,
    pub(super) thaw: Sender<()>,
}

pub(super) fn freezer(at: impl Fn(&Step<'_>) -> bool + Send + Sync + 'static) -> Freezer {
    let (told, frozen) = channel();
    let (thaw, thawed) = channel();
    let once = Mutex::new(Some((told, thawed)));
    let hook = Hook::new(move |step| {
        if step.moment == Moment::Before
            && at(&step)
            && let Some((told, thawed)) = once.lock().unwrap().take()
        {
            told.send(()).unwrap();
            thawed.recv().unwrap();
        }
        Ok(())
    });
    Freezer { hook, frozen, thaw }
}

pub(super) struct Scene {
    pub(super) frozen: Arc<FilesStore>,
    pub(super) free: FilesStore,
    freezer: Freezer,
    pub(super) record: Record,
    pub(super) folder: TempDir,
}

/// A session of version 3 that one handle has seen, and that is about to freeze at a step under `front`.
pub(super) async fn scene_of(front: &'static str) -> Scene {
    let folder = folder();
    let free = open(folder.path()).await;
    let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
    free.create(record.clone(), NONE, NOW).await.unwrap();
    for version in 1..3 {
        set(&free, &record, Expect::Version(version), version).await;
    }
    let freezer = freezer(move |step| {
        step.name == "rename" && step.path.starts_with(front) && !step.path.starts_with("t/")
    });
    let frozen = Arc::new(open_with(folder.path(), freezer.hook.clone()).await);
    Scene {
        frozen,
        free,
        freezer,
        record,
        folder,
    }
}

pub(super) async fn set(
    store: &FilesStore,
    record: &Record,
    expect: Expect,
    value: u64,
) -> Updated {
    let change = samples::set("count", value);
    store
        .update(record.id, expect, change, NONE, NOW)
        .await
        .unwrap()
}

impl Scene {
    /// Runs `work` on the handle that freezes, `meanwhile` while it is frozen; the answer of `work`.
    pub(super) async fn play<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        meanwhile: impl Future<Output = ()>,
    ) -> T {
        let work = tokio::spawn(work);
        tokio::task::block_in_place(|| self.freezer.frozen.recv().unwrap());
        meanwhile.await;
        self.freezer.thaw.send(()).unwrap();
        work.await.unwrap()
    }
}

/// S-08: others have gone on by some versions, and removed the old ones.
#[tokio::test(flavor = "multi_thread")]
async fn s_08_a_frozen_writer_loses_to_newer_versions() {
    let scene = scene_of("s/").await;
    let answer = overtaken(&scene, 15).await;
    let Ok(Updated::Conflict(newer)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(newer.record.version, 15);
}

/// S-08: so many versions that nobody knows any more whether his was among them: an error, which says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn s_08_a_writer_who_was_frozen_for_long_is_told_nothing() {
    let scene = scene_of("s/").await;
    let answer = overtaken(&scene, 60).await;
    assert_eq!(answer.map(drop).unwrap_err().kind(), ErrorKind::Unavailable);
}

/// What a writer of version 3 is answered when others have reached `version` meanwhile.
async fn overtaken(scene: &Scene, version: u64) -> Result<Updated, StoreError> {
    let (store, id) = (Arc::clone(&scene.frozen), scene.record.id);
    let work = async move {
        let change = samples::set("count", 100);
        store
            .update(id, Expect::Version(3), change, NONE, NOW)
            .await
    };
    let meanwhile = async {
        for version in 3..version {
            let answer = set(
                &scene.free,
                &scene.record,
                Expect::Version(version),
                version,
            )
            .await;
            assert!(matches!(answer, Updated::Done { .. }), "{answer:?}");
        }
    };
    let answer = scene.play(work, meanwhile).await;
    for store in [&scene.free, &*scene.frozen] {
        let found = store.load(id).await.unwrap().unwrap().record;
        let count = (version - 1).to_string();
        assert_eq!(
            (found.version, found.data.get("count")),
            (version, Some(&*count))
        );
    }
    answer
}

/// S-12: the session has ended, and nothing is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn s_12_a_frozen_writer_does_not_bring_back_what_ended() {
    let scene = scene_of("s/").await;
    let (store, record) = (Arc::clone(&scene.frozen), scene.record.clone());
    let work = async move { set(&store, &record, Expect::Security(1), 100).await };
    let answer = scene
        .play(work, async {
            scene.free.delete(scene.record.id).await.unwrap();
            scene.free.sweep(NOW, 100).await.unwrap();
        })
        .await;
    assert!(matches!(answer, Updated::Gone), "{answer:?}");
    for store in [&scene.free, &*scene.frozen] {
        assert!(store.load(scene.record.id).await.unwrap().is_none());
    }
}

/// I-04: a login that was let in before a revocation, and is kept after it, does not open.
#[tokio::test(flavor = "multi_thread")]
async fn i_04_a_frozen_login_does_not_open_after_a_revocation() {
    let scene = scene_of("s/").await;
    let late = Sample::new(NOW).of("ann", Epoch::ZERO).record();
    let (store, record) = (Arc::clone(&scene.frozen), late.clone());
    let ann = || Scope::Subject {
        app: None,
        subject: samples::subject("ann"),
    };
    let work = async move { store.create(record, NONE, NOW).await.unwrap() };
    scene
        .play(work, async {
            scene.free.revoke_all(ann(), None, NOW).await.unwrap();
        })
        .await;
    for store in [&scene.free, &*scene.frozen] {
        let loaded = store.load(late.id).await.unwrap();
        let opens = loaded.is_some_and(|it| it.record.security.admitted >= it.not_before);
        assert!(!opens, "a login from before a revocation opens");
        let listed = SubjectIndex::list(store, ann(), None, 10, NOW)
            .await
            .unwrap();
        assert!(listed.records.is_empty());
    }
}

/// S-14: logins under a limit, while one is frozen before it is let in, and while one is frozen before it begins.
#[tokio::test(flavor = "multi_thread")]
async fn s_14_a_frozen_login_keeps_the_limit() {
    let limit = SubjectLimit {
        max: Some(2),
        on_full: OnFull::EndOldest,
    };
    for front in ["g/", "s/"] {
        let scene = scene_of(front).await;
        let login = || {
            Sample::new(NOW.plus(std::time::Duration::from_secs(1)))
                .of("ann", Epoch::ZERO)
                .record()
        };
        let own = login();
        let (store, record) = (Arc::clone(&scene.frozen), own.clone());
        let work = async move { store.create(record, limit, NOW).await.unwrap() };
        let answer = scene
            .play(work, async {
                for _ in 0..5 {
                    let done = scene.free.create(login(), limit, NOW).await.unwrap();
                    assert!(matches!(done, Created::Done(_)), "{done:?}");
                }
            })
            .await;
        assert!(matches!(answer, Created::Done(_)), "{answer:?}");
        let ann = Scope::Subject {
            app: None,
            subject: samples::subject("ann"),
        };
        let listed = SubjectIndex::list(&scene.free, ann, None, 10, NOW)
            .await
            .unwrap();
        assert_eq!(listed.records.len(), 2, "sessions left, frozen at {front}");
    }
}

/// G-01 and R-02: a replay key that another saw, an entry that another wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_caller_is_not_first() {
    let until = NOW.plus(std::time::Duration::from_secs(60));
    let scene = scene_of("p/").await;
    let store = Arc::clone(&scene.frozen);
    let work = async move { store.first_seen(b"key", until, NOW).await.unwrap() };
    let first = scene
        .play(work, async {
            assert!(scene.free.first_seen(b"key", until, NOW).await.unwrap());
        })
        .await;
    assert!(!first, "a key is seen for the first time twice");

    let scene = scene_of("r/").await;
    let put = async |store: &FilesStore, value: &'static str| {
        let absent = cloakroom_core::store::Expected::Absent;
        store
            .put(Kind::Ring, "ring", absent, Some(value.into()), None, NOW)
            .await
            .unwrap()
    };
    let store = Arc::clone(&scene.frozen);
    let work = async move { put(&store, "late").await };
    let answer = scene
        .play(work, async {
            assert!(matches!(put(&scene.free, "early").await, Put::Done(_)));
        })
        .await;
    let Put::Conflict(Some(there)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(&there.value[..], b"early");
}
