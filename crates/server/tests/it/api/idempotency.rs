//! `Idempotency-Key`.

use super::client::{Api, answer, text};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_repeated_request_creates_one_session_and_another_body_is_refused() {
    let api = Api::start().await;
    let create = |key: &'static str, subject: &'static str| {
        let request = api
            .request(Method::POST, "/v1/sessions")
            .header("idempotency-key", key);
        async move {
            answer(
                request
                    .json(&json!({"subject": subject}))
                    .send()
                    .await
                    .unwrap(),
            )
            .await
        }
    };
    let (first, again) = (create("k1", "alice").await, create("k1", "alice").await);
    assert_eq!((first.0, again.0), (201, 201));
    assert_eq!(first.1["session_id"], again.1["session_id"]);
    let (old, new) = (
        text(&first.1, "session_token"),
        text(&again.1, "session_token"),
    );
    assert!(
        api.is_active(&old).await,
        "of two answers that cross, either may be the one that arrives"
    );
    let third = text(&create("k1", "alice").await.1, "session_token");
    assert_eq!(third, new, "every repeat gets the same token");
    assert!(api.is_active(&new).await);
    assert_eq!(create("k1", "bob").await.0, 422);
    let other = create("k2", "alice").await;
    assert_ne!(other.1["session_id"], first.1["session_id"]);
}

#[tokio::test]
async fn a_repeat_gets_no_session_that_ended_or_has_another_subject() {
    let api = Api::start().await;
    let create = || {
        let request = api.request(Method::POST, "/v1/sessions");
        let request = request.header("idempotency-key", "k");
        async move { answer(request.json(&json!({})).send().await.unwrap()).await }
    };
    let (_, made) = create().await;
    let path = format!("/v1/sessions/{}", text(&made, "session_id"));
    let body = json!({"subject": "alice"});
    api.post(&format!("{path}/authenticate"), &body).await;
    assert_eq!(create().await.0, 409);
    assert_eq!(api.delete(&path).await.0, 204);
    assert_eq!(create().await.0, 409);
    for wrong in ["", &"x".repeat(256)] {
        let request = api.request(Method::POST, "/v1/sessions");
        let request = request.header("idempotency-key", wrong).json(&json!({}));
        assert_eq!(answer(request.send().await.unwrap()).await.0, 400);
    }
}

/// However many arrive at once, one session is created; the others get it too, or are told to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_repeats_create_one_session() {
    let api = std::sync::Arc::new(Api::start().await);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let api = std::sync::Arc::clone(&api);
        all.spawn(async move {
            let request = api.request(Method::POST, "/v1/sessions");
            let request = request.header("idempotency-key", "k");
            answer(
                request
                    .json(&json!({"subject": "alice"}))
                    .send()
                    .await
                    .unwrap(),
            )
            .await
        });
    }
    let answers = all.join_all().await;
    assert!(
        answers
            .iter()
            .all(|(status, _)| matches!(status, 201 | 409))
    );
    let (_, listed) = api.get("/v1/sessions?subject=alice").await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}
