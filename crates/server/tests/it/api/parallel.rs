//! Parallel writers of one session: none is lost.

use super::client::{Api, answer, rounds};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

/// PEERS: two parallel requests write different keys, both answered 200. Here 64 at once, many rounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_64_parallel_requests_write_other_names_and_none_is_lost() {
    for api in Api::on_each_store().await {
        let api = Arc::new(api);
        let (id, token) = api.login("alice").await;
        for round in 0..rounds(10, 1000) {
            let mut writers = JoinSet::new();
            for name in 0..64 {
                let (api, path) = (Arc::clone(&api), format!("/v1/sessions/{id}"));
                writers.spawn(async move {
                    let body = json!({"set": {format!("n{name}"): round}});
                    api.send(Method::PATCH, &path, &body).await.0
                });
            }
            assert!(writers.join_all().await.iter().all(|status| *status == 200));
            let data = api.verify(&token).await["data"].clone();
            let lost: Vec<_> = (0..64)
                .filter(|name| data[format!("n{name}")] != json!(round))
                .collect();
            assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        }
    }
}

/// Parallel increments by `If-Match`: none lost, each answer distinct.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_parallel_increments_are_distinct_and_none_is_lost() {
    for api in Api::on_each_store().await {
        let api = Arc::new(api);
        let (id, token) = api.login("alice").await;
        let each = rounds(10, 200);
        let mut writers = JoinSet::new();
        for _ in 0..8 {
            let (api, path) = (Arc::clone(&api), format!("/v1/sessions/{id}"));
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
        assert_eq!((answers.len(), distinct.len()), (8 * each, 8 * each));
        assert_eq!(api.verify(&token).await["data"]["n"], json!(8 * each));
    }
}

async fn increment(api: &Api, path: &str) -> u64 {
    loop {
        let (_, read) = api.get(path).await;
        let next = read["data"]["n"].as_u64().unwrap_or(0) + 1;
        let version: &Value = &read["version"];
        let request = api
            .request(Method::PATCH, path)
            .header("if-match", format!("\"{version}\""));
        let sent = request
            .json(&json!({"set": {"n": next}}))
            .send()
            .await
            .unwrap();
        match answer(sent).await.0 {
            200 => return next,
            412 => {}
            other => panic!("status {other}"),
        }
    }
}
