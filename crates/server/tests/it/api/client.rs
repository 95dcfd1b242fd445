//! A client with an API key.

use crate::support::{Server, Setup};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// A server and a key for it.
pub(crate) struct Api {
    pub(crate) server: Server,
    pub(crate) key: String,
}

/// Seed and counts of the `soak_` tests: small in CI, full with `CLOAKROOM_SOAK=1`.
pub(crate) fn rounds(small: usize, full: usize) -> usize {
    if std::env::var_os("CLOAKROOM_SOAK").is_some() {
        full
    } else {
        small
    }
}

impl Api {
    /// On the embedded store.
    pub(crate) async fn start() -> Self {
        Self::on(Setup::new()).await
    }

    /// On every store that the server has.
    pub(crate) async fn on_each_store() -> Vec<Self> {
        vec![
            Self::start().await,
            Self::on(Setup::new().arg("--ephemeral")).await,
        ]
    }

    pub(crate) async fn on(setup: Setup) -> Self {
        let file = setup.path().join("first.key");
        let setup = setup.env("CLOAKROOM_BOOTSTRAP__API_KEY_FILE", &file);
        let server = setup.start().await;
        let key = std::fs::read_to_string(file).unwrap().trim().to_owned();
        Self { server, key }
    }

    /// The same server with a key of these scopes.
    pub(crate) async fn key(&self, name: &str, scopes: &[&str], app: Option<&str>) -> String {
        let mut body = json!({"name": name, "scopes": scopes});
        if let Some(app) = app {
            body["app"] = json!(app);
        }
        let made = self.post("/v1/api-keys", &body).await;
        made["key"].as_str().unwrap().to_owned()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.server
            .client()
            .request(method, self.server.url(path))
            .bearer_auth(&self.key)
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(method, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// A POST that must succeed.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(Method::POST, path, body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// A session of `subject`: its id and its token.
    pub(crate) async fn login(&self, subject: &str) -> (String, String) {
        let made = self
            .post("/v1/sessions", &json!({"subject": subject}))
            .await;
        (text(&made, "session_id"), text(&made, "session_token"))
    }

    pub(crate) async fn verify(&self, token: &str) -> Value {
        self.post("/v1/sessions/verify", &json!({"session_token": token}))
            .await
    }

    pub(crate) async fn is_active(&self, token: &str) -> bool {
        self.verify(token).await["active"].as_bool().unwrap()
    }
}

pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let is_problem = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind == "application/problem+json");
    let body = response.bytes().await.unwrap();
    let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if status >= 400 {
        assert!(is_problem, "an error must be a problem: {status} {value}");
        assert_eq!(value["status"], status, "{value}");
    }
    (status, value)
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}
