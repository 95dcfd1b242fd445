//! A memory store that is full: 503 with a problem that says so, and nobody who is signed in goes.

use super::client::{Api, answer};
use crate::support::Setup;
use reqwest::Method;
use serde_json::json;

async fn on(store: &str) -> Api {
    Api::on(Setup::new().arg("--ephemeral").arg("--store").arg(store)).await
}

/// Creates sessions of subjects until one is refused; answers the tokens of the others.
async fn fill(api: &Api) -> Vec<String> {
    let mut tokens = Vec::new();
    loop {
        let body =
            json!({"subject": format!("s{}", tokens.len()), "data": {"d": "x".repeat(2000)}});
        let asked = api.request(Method::POST, "/v1/sessions").json(&body);
        let response = asked.send().await.unwrap();
        let later = response.headers().contains_key("retry-after");
        match answer(response).await {
            (201, made) => tokens.push(made["session_token"].as_str().unwrap().to_owned()),
            (503, problem) => {
                assert_eq!(problem["title"], "All places for sessions are taken");
                assert!(later);
                return tokens;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_store_refuses_the_newest_and_keeps_the_others() {
    let api = on("memory:?reserve=256KiB").await;
    let tokens = fill(&api).await;
    assert!(tokens.len() > 50, "{} fit", tokens.len());
    for token in &tokens {
        assert!(api.is_active(token).await);
    }
}

#[tokio::test]
async fn one_place_is_one_place() {
    for full in ["evict", "reject"] {
        let api = on(&format!("memory:?max_sessions=1&full={full}")).await;
        let tokens = fill(&api).await;
        assert_eq!(tokens.len(), 1, "{full}");
        assert!(api.is_active(&tokens[0]).await);
    }
}
