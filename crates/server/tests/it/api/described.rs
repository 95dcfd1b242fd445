//! `/openapi.json` says what the server does.

use super::client::{Api, answer};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_described_operation_is_there_and_wants_a_key() {
    let api = Api::start().await;
    let (_, document) = api.get("/openapi.json").await;
    let printed = api.server.setup().run(&["openapi"]).stdout;
    let printed: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(document, printed, "the command prints what is served");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 15);
    for (path, item) in paths {
        let described = item.as_object().unwrap();
        let path = path.replace(['{', '}'], "");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let is_described = described.contains_key(&method.to_lowercase());
            let asked = Method::from_bytes(method.as_bytes()).unwrap();
            // Without a key: what needs one has no effect.
            let request = api.server.client().request(asked, api.server.url(&path));
            let (status, _) = answer(request.json(&json!({})).send().await.unwrap()).await;
            let expected = match (is_described, path.starts_with("/v1/")) {
                (false, _) => 405,
                (true, true) => 401,
                (true, false) => 200,
            };
            assert_eq!(status, expected, "{method} {path}");
        }
    }
}
