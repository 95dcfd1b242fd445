//! Many sessions: the server answers soon after its start, however many there are.

use super::client::{Api, rounds};
use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::store::Store as _;
use cloakroom_core::{Policy, Subject, SubjectLimit, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::task::JoinSet;

/// Puts sessions into the store of a server that does not run: over HTTP a million would take as long again.
async fn fill(folder: &Path, sessions: usize) {
    const AT_ONCE: usize = 1024;
    let store = Arc::new(EmbeddedStore::open(folder, Options::default()).unwrap());
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let now = Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap());
    for from in (0..sessions).step_by(AT_ONCE) {
        let mut clients = JoinSet::new();
        for one in from..sessions.min(from + AT_ONCE) {
            let store = Arc::clone(&store);
            clients.spawn(async move {
                let what = Begin {
                    proof: Some(Proof::of(Subject::new(format!("s{one}")).unwrap())),
                    ..Begin::default()
                };
                let (record, _) = begin(&what, &Policy::default(), now, &rand::random());
                let none = SubjectLimit::NONE;
                store.create(record, none, now).await.unwrap();
            });
        }
        clients.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_a_million_sessions_open_at_once() {
    let wanted = rounds(2_000, 1_000_000);
    let Api { mut server, key } = Api::start().await;
    server.terminate();
    let store = server.setup().data_dir().join("store");
    let started = Instant::now();
    fill(&store, wanted).await;
    let bytes = store.join("sessions.redb").metadata().unwrap().len();
    println!(
        "{wanted} sessions created in {:.1?}, {bytes} bytes",
        started.elapsed()
    );
    let server = server.restart().await;
    let mut api = Api { server, key };
    let (_, token) = api.login("somebody").await;
    api.server.kill9();
    let started = Instant::now();
    let Api { server, key } = api;
    let api = Api {
        server: server.restart().await,
        key,
    };
    assert!(api.is_active(&token).await);
    let took = started.elapsed();
    println!("first verify {took:.2?} after the start that followed a kill");
    assert!(took < Duration::from_secs(3), "{took:.2?}");
    let listed = api.get("/v1/sessions?subject=s1").await;
    assert_eq!(listed.1["sessions"].as_array().unwrap().len(), 1);
}
