//! A session is the same on every server.

use super::pair::Pair;
use crate::{api::client::text, support::poll};
use reqwest::Method;
use serde_json::json;

pub(super) async fn what_one_server_does_the_other_sees_at_once(pair: &Pair) {
    let (a, b, url) = (&pair.a, &pair.b, &pair.place.url);
    let (id, token) = a.login("alice").await;
    assert!(b.is_active(&token).await, "{url}");
    let path = format!("/v1/sessions/{id}");
    let body = json!({"set": {"cart": [1, 2]}});
    assert_eq!(b.send(Method::PATCH, &path, &body).await.0, 200);
    assert_eq!(a.verify(&token).await["data"], json!({"cart": [1, 2]}));
    let listed = b.get("/v1/sessions?subject=alice").await.1;
    assert_eq!(listed["sessions"][0]["session_id"], json!(id), "{url}");
    assert_eq!(a.delete(&path).await.0, 204);
    assert!(!b.is_active(&token).await, "{url}");
    // Both ways, and all of a subject.
    let (_, first) = a.login("bob").await;
    let (_, second) = b.login("bob").await;
    let revoked = b.delete("/v1/subjects/bob/sessions").await.1;
    assert_eq!(revoked["revoked"], 2, "{url}");
    for token in [&first, &second] {
        assert!(
            !a.is_active(token).await && !b.is_active(token).await,
            "{url}"
        );
    }
}

/// The next token is derived by a key that both have: however often the old one asks, and whom, the answer is the same.
pub(super) async fn both_servers_renew_to_the_same_token(pair: &Pair) {
    let (_, token) = pair.a.login("alice").await;
    let body = json!({"session_token": token});
    let mut answers = Vec::new();
    for api in [&pair.a, &pair.b, &pair.a] {
        let renewed = api.post("/v1/sessions/renew", &body).await;
        answers.push(text(&renewed, "session_token"));
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{}",
        pair.place.url
    );
    assert_ne!(answers[0], token);
    assert!(pair.b.is_active(&answers[0]).await);
}

pub(super) async fn the_start_message_says_that_all_is_shared(pair: &Pair) {
    for api in [&pair.a, &pair.b] {
        let said = poll("the whole start message", || {
            Some(api.server.stdout()).filter(|said| said.contains("users and keys"))
        });
        assert!(said.contains("shared by all nodes"), "{said}");
        assert!(said.contains("users and keys in the same store"), "{said}");
    }
}
