//! One session from its creation to its end.

use super::client::{Api, text};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_session_is_created_verified_changed_and_ended() {
    for api in Api::on_each_store().await {
        let body = json!({
            "subject": "alice", "data": {"cart": [1, 2]}, "acr": "1", "amr": ["pwd"],
            "device": {"user_agent": "x", "ip": "192.0.2.7", "label": "kitchen"},
            "idle_timeout": 60, "absolute_timeout": 3600,
        });
        let made = api.post("/v1/sessions", &body).await;
        let (id, token) = (text(&made, "session_id"), text(&made, "session_token"));
        assert!(text(&made, "set_cookie").starts_with(&format!("session={token}; HttpOnly;")));
        let found = api.verify(&token).await;
        assert_eq!(
            (found["active"].as_bool(), &found["subject"]),
            (Some(true), &json!("alice"))
        );
        assert_eq!(
            (&found["data"], &found["version"]),
            (&json!({"cart": [1, 2]}), &json!(1))
        );
        assert_eq!(
            (&found["acr"], &found["amr"]),
            (&json!("1"), &json!(["pwd"]))
        );
        assert_eq!(found["device"]["label"], "kitchen");

        let path = format!("/v1/sessions/{id}");
        let change = json!({"set": {"theme": "dark"}, "remove": ["cart"]});
        let (status, changed) = api.send(Method::PATCH, &path, &change).await;
        assert_eq!(
            (status, &changed["data"], &changed["version"]),
            (200, &json!({"theme": "dark"}), &json!(2))
        );
        let read = api.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(read.headers()["etag"], "\"2\"");
        assert_eq!(read.headers()["cache-control"], "no-store");

        assert_eq!(api.delete(&path).await.0, 204);
        assert_eq!(
            api.delete(&path).await.0,
            204,
            "also when it is already gone"
        );
        assert_eq!(api.verify(&token).await, json!({"active": false}));
        assert_eq!(api.get(&path).await.0, 404);
        let (status, _) = api.send(Method::PATCH, &path, &change).await;
        assert_eq!(status, 404, "an update never creates");
    }
}

#[tokio::test]
async fn if_match_holds_or_answers_412_with_the_version() {
    let api = Api::start().await;
    let (id, _) = api.login("alice").await;
    let path = format!("/v1/sessions/{id}");
    let patch = |tag: &'static str| {
        let request = api.request(Method::PATCH, &path).header("if-match", tag);
        async {
            super::client::answer(
                request
                    .json(&json!({"set": {"a": 1}}))
                    .send()
                    .await
                    .unwrap(),
            )
            .await
        }
    };
    assert_eq!(patch("\"1\"").await.0, 200);
    let (status, problem) = patch("\"1\"").await;
    assert_eq!((status, &problem["version"]), (412, &json!(2)));
    assert_eq!(patch("2").await.0, 400);
    assert_eq!(patch("*").await.0, 200);
}

/// OW-10, AV-7.2.4: the old token opens nothing from that moment.
#[tokio::test]
async fn ow_10_authenticate_by_id_gives_a_new_token_and_kills_the_old_one() {
    for api in Api::on_each_store().await {
        let made = api
            .post("/v1/sessions", &json!({"data": {"cart": 1}}))
            .await;
        let (id, fixed) = (text(&made, "session_id"), text(&made, "session_token"));
        let path = format!("/v1/sessions/{id}/authenticate");
        let done = api.post(&path, &json!({"subject": "alice"})).await;
        assert!(!api.is_active(&fixed).await);
        let found = api.verify(&text(&done, "session_token")).await;
        assert_eq!(
            (&found["subject"], &found["data"]),
            (&json!("alice"), &json!({"cart": 1}))
        );
        // Another person takes it over: what was the first one's is gone.
        let done = api.post(&path, &json!({"subject": "bob"})).await;
        let found = api.verify(&text(&done, "session_token")).await;
        assert_eq!(
            (&found["subject"], &found["data"]),
            (&json!("bob"), &json!({}))
        );
    }
}

/// OW-13: a lost response logs nobody out.
#[tokio::test]
async fn ow_13_renew_keeps_the_old_token_until_the_new_one_was_seen() {
    let api = Api::start().await;
    let (id, old) = api.login("alice").await;
    let path = format!("/v1/sessions/{id}/renew");
    let new = text(&api.post(&path, &json!({})).await, "session_token");
    let again = text(&api.post(&path, &json!({})).await, "session_token");
    assert_eq!(
        new, again,
        "the answer is the same however often it is asked"
    );
    assert!(api.is_active(&old).await && api.is_active(&new).await);
    // Seen now; the old one has its grace of 10 s.
    assert!(api.is_active(&old).await);
}

#[tokio::test]
async fn an_idle_timeout_ends_a_session_and_a_use_moves_it() {
    let api = Api::start().await;
    let made = api
        .post(
            "/v1/sessions",
            &json!({"subject": "alice", "idle_timeout": 3}),
        )
        .await;
    let token = text(&made, "session_token");
    let started = std::time::Instant::now();
    // Uses keep it alive beyond its first deadline, and then it ends by itself.
    while started.elapsed() < std::time::Duration::from_secs(4) {
        assert!(api.is_active(&token).await);
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    let untouched = json!({"session_token": token, "touch": false});
    let deadline = started + crate::support::PATIENCE;
    while api.post("/v1/sessions/verify", &untouched).await["active"] == true {
        assert!(std::time::Instant::now() < deadline, "it never ends");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
