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
    assert!(
        !api.is_active(&text(&first.1, "session_token")).await,
        "the lost answer's token is dead"
    );
    assert!(api.is_active(&text(&again.1, "session_token")).await);
    assert_eq!(create("k1", "bob").await.0, 422);
    let other = create("k2", "alice").await;
    assert_ne!(other.1["session_id"], first.1["session_id"]);
}
