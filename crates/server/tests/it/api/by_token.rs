//! The calls of a holder of a token.

use super::client::{Api, text};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn update_renew_and_authenticate_by_token() {
    for api in Api::on_each_store().await {
        let (_, token) = api.login("alice").await;
        let body = json!({"session_token": token, "set": {"a": 1}});
        let updated = api.post("/v1/sessions/update", &body).await;
        assert_eq!(
            (&updated["data"], &updated["session_token"]),
            (&json!({"a": 1}), &json!(token))
        );
        let renewed = api
            .post("/v1/sessions/renew", &json!({"session_token": token}))
            .await;
        let renewed = text(&renewed, "session_token");
        let body = json!({"session_token": renewed, "subject": "alice", "acr": "2"});
        let proven = api.post("/v1/sessions/authenticate", &body).await;
        assert!(!api.is_active(&token).await && !api.is_active(&renewed).await);
        let found = api.verify(&text(&proven, "session_token")).await;
        assert_eq!(
            (&found["acr"], &found["data"]),
            (&json!("2"), &json!({"a": 1}))
        );
        for path in ["update", "renew"] {
            let (status, _) = api
                .send(
                    Method::POST,
                    &format!("/v1/sessions/{path}"),
                    &json!({"session_token": token}),
                )
                .await;
            assert_eq!(status, 404, "{path}");
        }
    }
}

/// OW-8, OW-9: what is not a token, was never issued, or names a foreign key of the store is inactive, whatever it is.
#[tokio::test]
async fn ow_9_tokens_that_were_never_issued_open_nothing() {
    let api = Api::start().await;
    let (id, token) = api.login("alice").await;
    let forged = format!("{id}{}", &"A".repeat(21));
    let flipped = token.chars().rev().collect::<String>();
    let padded = format!("{token}=");
    let long = "x".repeat(10_000);
    for presented in [
        "",
        "x",
        "\u{0}",
        "../../etc/passwd",
        "mark",
        &id,
        &forged,
        &flipped,
        &padded,
        &long,
    ] {
        assert_eq!(api.verify(presented).await, json!({"active": false}));
    }
    let many = api
        .post(
            "/v1/sessions/verify",
            &json!({"session_tokens": [token, "x"]}),
        )
        .await;
    assert_eq!(
        (&many["sessions"][0]["subject"], &many["sessions"][1]),
        (&json!("alice"), &json!({"active": false}))
    );
}
