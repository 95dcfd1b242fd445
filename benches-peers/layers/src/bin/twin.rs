//! `twin FILE`: bare handlers that take what the server's endpoints take, and answer what they answer.
//!
//! The file holds answers recorded from the server: `{"verify": {"headers": {…}, "body": {…}}, "auth": {"headers": {…}}}`.
//! The twin parses the same request into the same shape, serialises an answer of the same shape and size, and sends the
//! same headers; it keeps no sessions, checks no credential and logs nothing. What the server needs beyond it is the price
//! of being a session server.
#![expect(
    clippy::print_stdout,
    reason = "the program that started it waits for the address"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What the server's endpoint takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    session_token: Option<String>,
    session_tokens: Option<Vec<String>>,
    touch: Option<bool>,
}

/// What the server's endpoint answers.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Session {
    active: bool,
    session_id: String,
    subject: Option<String>,
    data: BTreeMap<String, Box<RawValue>>,
    version: u64,
    created_at: String,
    last_seen_at: String,
    expires_at: String,
    idle_expires_at: String,
    authenticated_at: Option<String>,
    acr: Option<String>,
    amr: Vec<String>,
    device: Device,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Device {
    user_agent: Option<String>,
    ip: Option<String>,
    label: Option<String>,
}

#[derive(Deserialize)]
struct Recorded {
    verify: Answer,
    auth: Answer,
}

#[derive(Deserialize)]
struct Answer {
    headers: BTreeMap<String, String>,
    body: Option<Session>,
}

/// What the handlers answer with.
struct Twin {
    session: Session,
    verify: HeaderMap,
    auth: HeaderMap,
}

fn headers(answer: &Answer) -> HeaderMap {
    let pair = |(name, value): (&String, &String)| {
        let name = HeaderName::try_from(name).expect("a header's name");
        (
            name,
            HeaderValue::try_from(value).expect("a header's value"),
        )
    };
    answer.headers.iter().map(pair).collect()
}

async fn verify(State(twin): State<Arc<Twin>>, Json(asked): Json<Asked>) -> Response {
    let answers = asked.session_token.is_some_and(|token| token.len() > 40)
        && asked.session_tokens.is_none()
        && asked.touch.unwrap_or(true);
    if !answers {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut response = Json(&twin.session).into_response();
    response.headers_mut().extend(twin.verify.clone());
    response
}

async fn auth(State(twin): State<Arc<Twin>>, asked: HeaderMap) -> Response {
    if !(asked.contains_key("cookie") && asked.contains_key("x-original-url")) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().extend(twin.auth.clone());
    response
}

fn main() {
    let file = std::env::args().nth(1).expect("usage: twin FILE");
    let text = std::fs::read_to_string(file).expect("the recorded answers");
    let recorded: Recorded = serde_json::from_str(&text).expect("the recorded answers");
    let twin = Twin {
        verify: headers(&recorded.verify),
        auth: headers(&recorded.auth),
        session: recorded.verify.body.expect("a session"),
    };
    let router = Router::new()
        .route("/v1/sessions/verify", post(verify))
        .route("/auth-request", any(auth))
        .with_state(Arc::new(twin));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        println!(
            "listening on {}",
            listener.local_addr().expect("an address")
        );
        axum::serve(listener, router).await.expect("it serves");
    });
}
