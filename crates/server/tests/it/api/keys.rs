//! API keys: scopes, applications, revocation, and what of them is kept.

use super::client::{Api, answer, text};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_request_without_a_key_is_401_and_one_without_the_scope_403() {
    let mut api = Api::start().await;
    let (id, token) = api.login("alice").await;
    for wrong in [
        None,
        Some("x".to_owned()),
        Some(format!("{}x", &api.key[..api.key.len() - 1])),
    ] {
        let mut request = api
            .server
            .client()
            .post(api.server.url("/v1/sessions/verify"));
        if let Some(key) = &wrong {
            request = request.bearer_auth(key);
        }
        let response = request
            .json(&json!({"session_token": token}))
            .send()
            .await
            .unwrap();
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(answer(response).await.0, 401);
    }
    api.key = api.key("reader", &["sessions:read"], None).await;
    assert!(api.is_active(&token).await);
    for (method, path) in [
        (Method::POST, "/v1/sessions".to_owned()),
        (Method::PATCH, format!("/v1/sessions/{id}")),
        (Method::POST, "/v1/sessions/revoke-all".to_owned()),
        (Method::POST, format!("/v1/sessions/{id}/renew")),
    ] {
        let (status, problem) = api.send(method, &path, &json!({})).await;
        assert_eq!(status, 403, "{path}: {problem}");
        assert!(problem["scope"].is_string());
    }
}

#[tokio::test]
async fn a_key_of_an_application_creates_and_sees_only_its_sessions() {
    for mut api in Api::on_each_store().await {
        let (other_id, other_token) = api.login("alice").await;
        let all = ["sessions:read", "sessions:write", "sessions:impersonate"];
        let (root, shop) = (api.key.clone(), api.key("shop", &all, Some("shop")).await);
        api.key = shop;
        let (mine, token) = api.login("alice").await;
        assert!(api.is_active(&token).await && !api.is_active(&other_token).await);
        assert_eq!(api.get(&format!("/v1/sessions/{other_id}")).await.0, 404);
        assert_eq!(api.delete(&format!("/v1/sessions/{other_id}")).await.0, 204);
        let (_, listed) = api.get("/v1/sessions?subject=alice").await;
        assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(listed["sessions"][0]["session_id"], json!(mine));
        let (status, revoked) = api.delete("/v1/subjects/alice/sessions").await;
        assert_eq!((status, &revoked["revoked"]), (200, &json!(1)));
        api.key = root;
        assert!(
            api.is_active(&other_token).await,
            "another application's session goes on"
        );
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_and_no_file_holds_its_secret() {
    let mut api = Api::start().await;
    let root = api.key.clone();
    let made = api
        .post(
            "/v1/api-keys",
            &json!({"name": "n", "scopes": ["sessions:read"]}),
        )
        .await;
    assert_eq!(
        api.send(
            Method::POST,
            "/v1/api-keys",
            &json!({"name": "n", "scopes": ["tokens"]})
        )
        .await
        .0,
        409
    );
    let key = text(&made, "key");
    let (_, token) = api.login("alice").await;
    assert_eq!(api.delete("/v1/api-keys/n").await.0, 204);
    assert_eq!(api.delete("/v1/api-keys/n").await.0, 404);
    api.key = key.clone();
    assert_eq!(api.get("/v1/sessions").await.0, 401);
    api.key = root;
    api.server.terminate();
    let log = api.server.stderr();
    for secret in [&key[19..], &token[22..]] {
        assert!(!log.contains(secret), "a secret stands in the log");
        for file in std::fs::read_dir(api.server.setup().data_dir().join("store")).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "a secret stands in the store");
        }
    }
}

#[tokio::test]
async fn an_admin_of_one_application_manages_nothing_beyond_it() {
    let mut api = Api::start().await;
    let (_, other) = api.login("alice").await;
    let root = api.key.clone();
    api.key = api.key("shop", &["admin"], Some("shop")).await;
    let (_, mine) = api.login("alice").await;
    let (status, revoked) = api
        .send(Method::POST, "/v1/sessions/revoke-all", &json!({}))
        .await;
    assert_eq!((status, &revoked["revoked"]), (200, &json!(1)));
    assert!(!api.is_active(&mine).await);
    // Else he could give himself a key without the limit.
    for (path, body) in [
        ("/v1/api-keys", json!({"name": "n", "scopes": ["admin"]})),
        ("/v1/users", json!({"name": "n"})),
    ] {
        assert_eq!(api.send(Method::POST, path, &body).await.0, 403, "{path}");
        assert_eq!(api.get(path).await.0, 403, "{path}");
    }
    api.key = root;
    assert!(api.is_active(&other).await);
}

#[tokio::test]
async fn of_several_or_unreadable_credentials_none_counts() {
    let api = Api::start().await;
    let ask = |values: Vec<Vec<u8>>| {
        let mut request = api.server.client().get(api.server.url("/v1/sessions"));
        for value in values {
            let value = reqwest::header::HeaderValue::from_bytes(&value).unwrap();
            request = request.header("authorization", value);
        }
        async move { answer(request.send().await.unwrap()).await.0 }
    };
    let right = format!("Bearer {}", api.key).into_bytes();
    let lower = format!("bearer  {}", api.key).into_bytes();
    assert_eq!(ask(vec![right.clone()]).await, 200);
    assert_eq!(
        ask(vec![lower]).await,
        200,
        "the scheme is case-insensitive (RFC 9110 11.1)"
    );
    let not_utf8 = [&right[..], b"\xff\xfe"].concat();
    let basic = format!("Basic {}", api.key).into_bytes();
    for wrong in [
        vec![right.clone(), right],
        vec![not_utf8],
        vec![basic],
        vec![b"Bearer".to_vec()],
    ] {
        assert_eq!(ask(wrong).await, 401);
    }
}

/// The operator's own text in a file is the key as long as it is configured, whatever was there before.
#[tokio::test]
async fn the_bootstrap_file_decides_which_key_is_the_first_one() {
    let api = Api::start().await;
    let file = api.server.setup().path().join("first.key");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let Api { server, key } = api;
    let api = Api {
        server: server.restart().await,
        key,
    };
    assert_eq!(
        api.get("/v1/sessions").await.0,
        200,
        "the same key after a restart"
    );
    let own = "an-own-text-of-at-least-32-characters";
    std::fs::write(&file, format!("{own}\n")).unwrap();
    let Api { server, key } = api;
    let mut api = Api {
        server: server.restart().await,
        key,
    };
    assert_eq!(
        api.get("/v1/sessions").await.0,
        401,
        "the one before is gone"
    );
    api.key = own.to_owned();
    let (_, listed) = api.get("/v1/api-keys").await;
    assert_eq!(listed["api_keys"].as_array().unwrap().len(), 1, "{listed}");
}
