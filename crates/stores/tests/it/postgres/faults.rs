//! The server restarts, freezes, or has no room.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{
    Created, ErrorKind, Expect, Expected, Kind, Registry as _, ReplayGuard as _, Scope, Store as _,
    StoreError, SubjectIndex, Updated,
};
use cloakroom_core::{Record, SessionId};
use cloakroom_stores::sql::postgres::PostgresStore;
use cloakroom_test_servers::Proxy;
use cloakroom_test_servers::postgres::Postgres;
use tokio::task::JoinSet;

use super::kit::{NONE, administer, create, now, open, refused, until, url};
use crate::soak;

/// What the writers know to be written, and how they fared.
#[derive(Default)]
struct Told {
    ended: AtomicBool,
    done: AtomicU64,
    failed: AtomicU64,
}

/// Writes one session again and again; answers the version that was acknowledged last.
async fn write(store: Arc<PostgresStore>, told: Arc<Told>, record: Record) -> (SessionId, u64) {
    let mut version = 1;
    while !told.ended.load(Ordering::SeqCst) {
        let change = samples::set("count", version);
        match store
            .update(record.id, Expect::Security(1), change, NONE, now())
            .await
        {
            Ok(Updated::Done { record, .. }) => {
                version = record.version;
                told.done.fetch_add(1, Ordering::SeqCst);
            }
            Ok(other) => panic!("an update under a restart: {other:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                told.failed.fetch_add(1, Ordering::SeqCst);
                // As people who try again.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    (record.id, version)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_under_load_loses_nothing_and_is_over_soon() {
    let server = Postgres::start(&[]);
    let store = Arc::new(
        open(&format!("{}&deadline=20s", url(server.address(), "s")))
            .await
            .unwrap(),
    );
    for _ in 0..soak(2, 10) {
        let told = Arc::new(Told::default());
        let mut writers = JoinSet::new();
        for _ in 0..16 {
            let record = Sample::new(now()).record();
            create(&store, &record).await;
            writers.spawn(write(Arc::clone(&store), Arc::clone(&told), record));
        }
        let done = || told.done.load(Ordering::SeqCst);
        until("writers write", async || done() > 100).await;
        tokio::task::block_in_place(|| server.stop());
        until("the loss is noticed", async || {
            told.failed.load(Ordering::SeqCst) > 32
        })
        .await;
        tokio::task::block_in_place(|| server.resume());
        let back = Instant::now();
        let before = done();
        until("writers write again", async || done() > before).await;
        println!("recovered {:?} after the server was ready", back.elapsed());
        // A connection of each purpose comes back, and then no more errors follow.
        until("all is back", async || {
            let listed = SubjectIndex::list(&*store, Scope::Everything, None, 1, now()).await;
            store.epoch().await.is_ok() && listed.is_ok()
        })
        .await;
        println!("all was back {:?} after it", back.elapsed());
        let after = done();
        until("who was turned away tries again", async || {
            done() > after + 100
        })
        .await;
        let failed = told.failed.load(Ordering::SeqCst);
        let settled = done();
        until("nobody fails any more", async || done() > settled + 500).await;
        assert_eq!(
            told.failed.load(Ordering::SeqCst),
            failed,
            "errors after the recovery"
        );
        told.ended.store(true, Ordering::SeqCst);
        for (id, version) in writers.join_all().await {
            let kept = store.load(id).await.unwrap().unwrap().record;
            assert!(
                kept.version >= version,
                "{} of {version} is left",
                kept.version
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_unavailable_at_once_and_comes_back() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.address());
    let url = format!(
        "{}&deadline=300ms&connect_timeout=1",
        url(proxy.addr(), "s")
    );
    let store = open(&url).await.unwrap();
    let record = Sample::new(now()).record();
    until("a session is kept", async || {
        store.create(record.clone(), NONE, now()).await.is_ok()
    })
    .await;
    proxy.freeze();
    let away = |answer: Result<(), StoreError>| {
        assert_eq!(refused(answer, "secret"), ErrorKind::Unavailable)
    };
    let load = async || store.load(record.id).await.map(drop);
    // Nobody hangs; what comes after the first is not even asked.
    let asked = Instant::now();
    away(load().await);
    println!("the first answer after {:?}", asked.elapsed());
    let asked = Instant::now();
    for _ in 0..1000 {
        assert!(load().await.is_err());
        let new = Sample::new(now()).record();
        away(store.create(new, NONE, now()).await.map(drop));
    }
    println!("2,000 more after {:?}", asked.elapsed());
    proxy.heal();
    let healed = Instant::now();
    until("it reads again", async || load().await.is_ok()).await;
    let mut last = None;
    until("it writes again", async || {
        match store.first_seen(b"key", now(), now()).await {
            Ok(_) => return true,
            Err(error) => last = Some(error),
        }
        if healed.elapsed() > Duration::from_secs(20) {
            println!("{last:?}");
        }
        false
    })
    .await;
    println!("back {:?} after the thaw", healed.elapsed());
    // What was held by the freeze may have been done, whole.
    let kept = store.load(record.id).await.unwrap().unwrap().record;
    assert_eq!(*kept, record);
}

/// A small disk.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where this machine does not let us mount.
    fn mount(place: PathBuf) -> Option<Self> {
        std::fs::create_dir(&place).unwrap();
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            "size=3m,uid=nobody,gid=nogroup",
            "tmpfs",
        ]);
        let mounted = mount
            .arg(&place)
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(Self(place))
    }

    fn enlarge(&self) {
        let mut mount = Command::new("mount");
        let larger = mount.args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(larger.is_ok_and(|status| status.success()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_full_and_takes_writes_again_when_there_is_room() {
    let server = Postgres::start(&[]);
    let Some(disk) = SmallDisk::mount(server.folder().join("small")) else {
        println!("skipped: this machine does not let us mount a small disk");
        return;
    };
    let place = disk.0.display().to_string();
    administer(
        &server,
        &format!("CREATE TABLESPACE small LOCATION '{place}'"),
    )
    .await;
    administer(
        &server,
        "ALTER ROLE postgres SET default_tablespace = small",
    )
    .await;
    let store = open(&format!("{}&deadline=20s", url(server.address(), "s")))
        .await
        .unwrap();
    // Bytes that do not shrink, each in a session of its own.
    let noise = |number: u64| -> String {
        let chance: Vec<u64> = (0..400)
            .map(|at| rand::random::<u64>() ^ number ^ at)
            .collect();
        format!("{chance:x?}")
    };
    let mut kept = Vec::new();
    let error = loop {
        let text = noise(kept.len() as u64);
        let mut edits = cloakroom_core::Edits::new();
        edits.set("noise", cloakroom_core::JsonText::of(&text).unwrap());
        let record = Sample::new(now()).data(edits).record();
        match store.create(record.clone(), NONE, now()).await {
            Ok(Created::Done(_)) => kept.push(record),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        assert!(kept.len() < 10_000, "the disk is never full");
    };
    assert_eq!(refused(Err::<(), _>(error), "secret"), ErrorKind::Full);
    println!("full after {} sessions", kept.len());
    // Nothing was lost, and all can be read and ended.
    for record in &kept {
        let loaded = store.load(record.id).await.unwrap().unwrap();
        assert_eq!(*loaded.record, *record);
    }
    store.delete(kept[0].id).await.unwrap();
    disk.enlarge();
    create(&store, &kept[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_of_a_server_that_is_gone() {
    let server = Postgres::start(&[]);
    let store = open(&url(server.address(), "s")).await.unwrap();
    tokio::task::block_in_place(|| server.stop());
    until("the loss is noticed", async || store.epoch().await.is_err()).await;
    let any = Expected::Anything;
    let answers = [
        store
            .put(Kind::User, "ann", any, None, None, now())
            .await
            .map(drop),
        store.changed(Kind::User, 0).await.map(drop),
        store
            .revoke_all(Scope::Everything, None, now())
            .await
            .map(drop),
        store.sweep(now(), 10).await.map(drop),
    ];
    for answer in answers {
        assert_eq!(refused(answer, "secret"), ErrorKind::Unavailable);
    }
}
