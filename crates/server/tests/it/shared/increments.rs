//! Writers of one session at two servers at once: none is lost.

use super::pair::Pair;
use crate::api::client::{Api, answer, rounds};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

type Nodes = [Arc<Api>; 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_writers_at_two_servers_lose_nothing() {
    for pair in Pair::each().await {
        let url = &pair.place.url;
        let nodes = [Arc::new(pair.a), Arc::new(pair.b)];
        by_name(&nodes, url).await;
        by_version(&nodes, url).await;
    }
}

/// 64 at a time, each another name.
async fn by_name(nodes: &Nodes, url: &str) {
    let (id, token) = nodes[0].login("alice").await;
    for round in 0..rounds(1, 1000) {
        let mut writers = JoinSet::new();
        for name in 0..64 {
            let (api, path) = (Arc::clone(&nodes[name % 2]), format!("/v1/sessions/{id}"));
            writers.spawn(async move {
                let body = json!({"set": {format!("n{name}"): round}});
                api.send(Method::PATCH, &path, &body).await
            });
        }
        for (status, answer) in writers.join_all().await {
            assert_eq!(status, 200, "{url}: {answer}");
        }
        let data = nodes[round % 2].verify(&token).await["data"].clone();
        let is_lost = |name: &usize| data[format!("n{name}")] != json!(round);
        let lost: Vec<_> = (0..64).filter(is_lost).collect();
        assert!(lost.is_empty(), "{url}: round {round}: lost {lost:?}");
    }
}

/// By `If-Match`: each answer distinct, and as many as there were.
async fn by_version(nodes: &Nodes, url: &str) {
    let (id, token) = nodes[0].login("alice").await;
    let each = rounds(3, 200);
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (api, path) = (Arc::clone(&nodes[writer % 2]), format!("/v1/sessions/{id}"));
        writers.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..each {
                answers.push(increment(&api, &path).await);
            }
            answers
        });
    }
    let answers: Vec<u64> = writers.join_all().await.concat();
    let distinct: BTreeSet<_> = answers.iter().collect();
    assert_eq!(
        (answers.len(), distinct.len()),
        (8 * each, 8 * each),
        "{url}"
    );
    assert_eq!(
        nodes[1].verify(&token).await["data"]["n"],
        json!(8 * each),
        "{url}"
    );
}

async fn increment(api: &Api, path: &str) -> u64 {
    loop {
        let (_, read) = api.get(path).await;
        let next = read["data"]["n"].as_u64().unwrap_or(0) + 1;
        let version: &Value = &read["version"];
        let request = api.request(Method::PATCH, path);
        let request = request.header("if-match", format!("\"{version}\""));
        let sent = request.json(&json!({"set": {"n": next}})).send().await;
        match answer(sent.unwrap()).await.0 {
            200 => return next,
            412 => {}
            other => panic!("status {other}"),
        }
    }
}
