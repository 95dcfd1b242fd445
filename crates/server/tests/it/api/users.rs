//! The directory over the API.

use super::client::{Api, text};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn users_are_added_listed_changed_and_removed() {
    for api in Api::on_each_store().await {
        let body = json!({"name": "ada", "password": "correct horse battery", "roles": ["staff"]});
        let (status, added) = api.send(Method::POST, "/v1/users", &body).await;
        assert_eq!(
            (status, &added["roles"]),
            (201, &json!(["staff"])),
            "{added}"
        );
        assert!(
            added["password"].is_null(),
            "what was given is not repeated"
        );
        assert_eq!(api.send(Method::POST, "/v1/users", &body).await.0, 409);
        let made = api.post("/v1/users", &json!({"name": "a/b ü"})).await;
        assert!(text(&made, "password").len() >= 16);
        let (_, listed) = api.get("/v1/users").await;
        let names: Vec<_> = listed["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| text(user, "name"))
            .collect();
        assert!(names.contains(&"ada".to_owned()) && names.contains(&"a/b ü".to_owned()));

        let (_, token) = api.login("ada").await;
        let path = "/v1/users/ada/password";
        let (status, changed) = api.send(Method::PUT, path, &json!({})).await;
        assert_eq!(status, 200);
        assert!(changed["password"].is_string(), "one was made: {changed}");
        assert!(
            !api.is_active(&token).await,
            "AV-7.4.3: the sessions of before end"
        );

        let (_, token) = api.login("ada").await;
        let disabled = api.post("/v1/users/ada/disable", &json!({})).await;
        assert_eq!(disabled["disabled"], true);
        assert!(!api.is_active(&token).await, "AV-7.4.2");
        assert_eq!(
            api.post("/v1/users/ada/enable", &json!({})).await["disabled"],
            false
        );
        let (_, token) = api.login("a/b ü").await;
        assert_eq!(api.delete("/v1/users/a%2Fb%20%C3%BC").await.0, 204);
        assert!(!api.is_active(&token).await);
        for (method, path) in [
            (Method::GET, "/v1/users/nobody"),
            (Method::DELETE, "/v1/users/a%2Fb%20%C3%BC"),
            (Method::POST, "/v1/users/nobody/disable"),
        ] {
            assert_eq!(api.send(method, path, &json!({})).await.0, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn a_user_that_cannot_be_one_is_refused_by_field() {
    let api = Api::start().await;
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a\u{0}"}), "name"),
        (json!({"name": ".."}), "name"),
        (json!({"name": "a", "password": "short"}), "password"),
        (json!({"name": "a", "roles": ["no role"]}), "roles"),
    ] {
        let (status, problem) = api.send(Method::POST, "/v1/users", &body).await;
        assert_eq!(
            (status, &problem["field"]),
            (400, &json!(field)),
            "{problem}"
        );
    }
}
