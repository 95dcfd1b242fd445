//! Many sessions: the server answers soon after its start, however many there are.

use super::client::{Api, rounds};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_a_million_sessions_open_at_once() {
    let wanted = rounds(2_000, 1_000_000);
    let api = Arc::new(Api::start().await);
    let (_, token) = api.login("first").await;
    let mut clients = JoinSet::new();
    let started = Instant::now();
    for client in 0..64 {
        let api = Arc::clone(&api);
        clients.spawn(async move {
            for one in (client..wanted).step_by(64) {
                api.login(&format!("s{one}")).await;
            }
        });
    }
    clients.join_all().await;
    println!("{wanted} sessions created in {:.1?}", started.elapsed());
    let Api { mut server, key } = Arc::into_inner(api).unwrap();
    server.kill9();
    let started = Instant::now();
    let api = Api {
        server: server.restart().await,
        key,
    };
    assert!(api.is_active(&token).await);
    let took = started.elapsed();
    println!("first verify {took:.2?} after the start");
    assert!(took < Duration::from_secs(3), "{took:.2?}");
}
