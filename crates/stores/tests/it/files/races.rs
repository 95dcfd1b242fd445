//! Two who meet at the worst moment, one step at a time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_conformance::samples;
use cloakroom_core::store::{Expect, Store as _, Touched, Updated};
use cloakroom_core::{Activity, SubjectLimit};
use cloakroom_stores::files::hook::{Hook, Moment};

use super::frozen::{freezer, scene_of, set};
use super::{NOW, open_with};

const NONE: SubjectLimit = SubjectLimit::NONE;

fn later(minutes: u64) -> Activity {
    let last_seen = NOW.plus(Duration::from_secs(60 * minutes));
    Activity {
        last_seen,
        idle_deadline: last_seen.plus(samples::IDLE),
    }
}

/// S-10: a touch that meets an update is not lost, nor is the update.
#[tokio::test(flavor = "multi_thread")]
async fn s_10_a_touch_that_meets_an_update_is_not_lost() {
    let scene = scene_of("s/").await;
    let (store, id) = (Arc::clone(&scene.frozen), scene.record.id);
    let work = async move { store.touch(id, later(10), NOW).await.unwrap() };
    let answer = scene
        .play(work, async {
            set(&scene.free, &scene.record, Expect::Version(3), 3).await;
        })
        .await;
    assert_eq!(answer, Touched::Done);
    let found = scene.free.load(id).await.unwrap().unwrap().record;
    assert_eq!((found.version, found.activity), (4, later(10)));
}

/// S-13: a sweep that meets a touch ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn s_13_a_sweep_that_meets_a_touch_ends_nothing() {
    let scene = scene_of("s/").await;
    let (store, id) = (Arc::clone(&scene.frozen), scene.record.id);
    let deadline = scene.record.deadline();
    let work = async move { store.sweep(deadline, 10).await.unwrap() };
    let swept = scene
        .play(work, async {
            let answer = scene.free.touch(id, later(10), NOW).await.unwrap();
            assert_eq!(answer, Touched::Done);
        })
        .await;
    assert!(swept.removed.is_empty());
    let found = scene.free.load(id).await.unwrap().unwrap().record;
    assert_eq!(found.activity, later(10));
    // And is looked at again when it is really due.
    let swept = scene.free.sweep(later(10).idle_deadline, 10).await.unwrap();
    assert_eq!(swept.removed.len(), 1);
}

/// S-08: a writer who has written and tidies up takes nothing away from the next, who has written and not yet moved.
#[tokio::test(flavor = "multi_thread")]
async fn s_08_tidying_up_leaves_what_the_next_writer_wrote() {
    let scene = scene_of("s/").await;
    let path = scene.folder.path();
    let tidying = freezer(|step| step.name == "sync folder" && step.path.starts_with("s/"));
    let first = Arc::new(open_with(path, tidying.hook.clone()).await);
    let (store, record) = (Arc::clone(&first), scene.record.clone());
    let first = tokio::spawn(async move { set(&store, &record, Expect::Version(3), 3).await });
    tokio::task::block_in_place(|| tidying.frozen.recv().unwrap());
    let (store, record) = (Arc::clone(&scene.frozen), scene.record.clone());
    let work = async move { set(&store, &record, Expect::Version(4), 4).await };
    let answer = scene
        .play(work, async {
            tidying.thaw.send(()).unwrap();
            let done = first.await.unwrap();
            assert!(matches!(done, Updated::Done { .. }), "{done:?}");
        })
        .await;
    assert!(matches!(answer, Updated::Done { .. }), "{answer:?}");
    let found = scene
        .free
        .load(scene.record.id)
        .await
        .unwrap()
        .unwrap()
        .record;
    assert_eq!((found.version, found.data.get("count")), (5, Some("4")));
}

/// S-08: a file server that is asked twice says no to what it has done, and meanwhile others have gone on: the writer
/// finds out that he succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn s_08_a_lost_answer_is_found_again() {
    for others in [0, 1, 5] {
        let scene = scene_of("nothing").await;
        let path = scene.folder.path();
        let once = Arc::new(AtomicBool::new(true));
        let (told, moved) = std::sync::mpsc::channel();
        let (go_on, going) = std::sync::mpsc::channel();
        let gate = std::sync::Mutex::new((told, going));
        let first = Arc::clone(&once);
        let hook = Hook::new(move |step| {
            let is = step.name == "rename" && step.moment == Moment::After;
            if is && step.path.starts_with("s/") && first.swap(false, Ordering::SeqCst) {
                let (told, going) = &*gate.lock().unwrap();
                told.send(()).unwrap();
                going.recv().unwrap();
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(())
        });
        let store = Arc::new(open_with(path, hook).await);
        let record = scene.record.clone();
        let work = tokio::spawn(async move {
            let change = samples::set("count", 100);
            let expect = Expect::Version(3);
            store.update(record.id, expect, change, NONE, NOW).await
        });
        tokio::task::block_in_place(|| moved.recv().unwrap());
        for number in 0..others {
            set(
                &scene.free,
                &scene.record,
                Expect::Version(4 + number),
                number,
            )
            .await;
        }
        go_on.send(()).unwrap();
        let Ok(Updated::Done { record, .. }) = work.await.unwrap() else {
            panic!("he is told that he failed, after {others}");
        };
        assert_eq!((record.version, record.data.get("count")), (4, Some("100")));
        let found = scene.free.load(record.id).await.unwrap().unwrap().record;
        assert_eq!(found.version, 4 + others);
    }
}
