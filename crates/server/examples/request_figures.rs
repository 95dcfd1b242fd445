//! What one request costs between the HTTP server and the store: the whole router, without sockets, beside a bare axum
//! handler that takes and gives the same bytes.
//!
//! For a profiler, which counts where the time goes. (valgrind cannot run it: it has no clock of ours.)
//!
//! ```text
//! cargo build --release -p cloakroom-server --example request_figures
//! perf record -F 9999 -g target/release/examples/request_figures verify 300000
//! perf report --no-children
//! ```
//!
//! The first argument is `verify`, `auth-request`, `bare-verify` or `bare-auth-request`; the third a log
//! level, `info` where it is missing, as in the binary.

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Request, header},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use cloakroom_server::{
    config::{self, Config, StoreUrl},
    credentials::Scope,
    http::Peer,
    observe::Logging,
    router,
    state::AppState,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{error::Error, hint::black_box, sync::Arc};
use tower::ServiceExt;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is asked again and again.
struct Asked {
    uri: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Asked {
    fn request(&self) -> Result<Request<Body>> {
        let mut request = Request::post(self.uri).body(Body::from(self.body.clone()))?;
        for (name, value) in &self.headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::try_from(value.as_str())?);
        }
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        request.extensions_mut().insert(peer);
        Ok(request)
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments
        .next()
        .ok_or("say what: see the top of the file")?;
    let count: usize = arguments.next().ok_or("say how many")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let level = arguments.next().unwrap_or_else(|| "info".into());
    runtime.block_on(run(&what, count, level))
}

async fn run(what: &str, count: usize, level: String) -> Result<()> {
    let (state, key) = state().await?;
    let _logging = Logging::start(&config::Log {
        level,
        ..config::Log::default()
    })?;
    let ours = router::network(&state);
    let (token, _) = begin(&ours, &key).await?;
    let verify = Asked {
        uri: "/v1/sessions/verify",
        headers: vec![
            ("authorization", format!("Bearer {key}")),
            ("content-type", "application/json".into()),
        ],
        body: json!({"session_token": token}).to_string().into(),
    };
    let auth_request = Asked {
        uri: "/auth-request",
        headers: vec![
            ("cookie", format!("session={token}")),
            (
                "x-original-url",
                "http://127.0.0.1:7878/some/page?x=1".into(),
            ),
            ("x-original-method", "GET".into()),
        ],
        body: Bytes::new(),
    };
    let answer = body(&ours, &verify).await?;
    let (router, asked) = match what {
        "verify" => (ours, verify),
        "auth-request" => (ours, auth_request),
        "bare-verify" => (bare(answer), verify),
        "bare-auth-request" => (bare(answer), auth_request),
        _ => return Err("no such thing to ask".into()),
    };
    for _ in 0..count {
        let response = router.clone().oneshot(asked.request()?).await?;
        assert!(response.status().is_success(), "{}", response.status());
        black_box(axum::body::to_bytes(response.into_body(), 1 << 16).await?);
    }
    Ok(())
}

async fn state() -> Result<(AppState, String)> {
    let mut config = Config::default();
    config.server.ephemeral = true;
    config.store.url = Some(StoreUrl::new("memory:".into()));
    let state = AppState::open(config, None, None).await?;
    let scopes = vec![Scope::SessionsRead, Scope::SessionsWrite];
    let now = state.sessions().now();
    let made = state
        .api_keys()
        .create("figures", scopes, None, now)
        .await?;
    Ok((state, made.text.to_string()))
}

/// A session with a little data; its token and id.
async fn begin(router: &Router, key: &str) -> Result<(String, String)> {
    let asked = Asked {
        uri: "/v1/sessions",
        headers: vec![
            ("authorization", format!("Bearer {key}")),
            ("content-type", "application/json".into()),
        ],
        body: json!({"subject": "alice", "data": {"cart": [1, 2, 3], "theme": "dark"}})
            .to_string()
            .into(),
    };
    let made: Value = serde_json::from_slice(&body(router, &asked).await?)?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Ok((text("session_token"), text("session_id")))
}

async fn body(router: &Router, asked: &Asked) -> Result<Bytes> {
    let response = router.clone().oneshot(asked.request()?).await?;
    Ok(axum::body::to_bytes(response.into_body(), 1 << 16).await?)
}

#[derive(Deserialize)]
struct AskedBody {
    session_token: String,
}

#[derive(Serialize)]
struct Answer {
    active: bool,
    #[serde(flatten)]
    rest: Arc<serde_json::Map<String, Value>>,
}

/// The same routes with nothing behind them: JSON in, the same JSON out, the same headers.
fn bare(answer: Bytes) -> Router {
    let mut rest: serde_json::Map<String, Value> =
        serde_json::from_slice(&answer).unwrap_or_default();
    rest.remove("active");
    Router::new()
        .route(
            "/v1/sessions/verify",
            post(
                async |State(rest): State<Arc<serde_json::Map<String, Value>>>,
                       Json(asked): Json<AskedBody>| {
                    black_box(asked.session_token);
                    Json(Answer { active: true, rest })
                },
            ),
        )
        .route(
            "/auth-request",
            any(
                async |Extension(peer): Extension<Peer>, headers: HeaderMap| {
                    black_box((peer, headers.get(header::COOKIE)));
                    ([("x-auth-subject", "alice")], ()).into_response() as Response
                },
            ),
        )
        .with_state(Arc::new(rest))
}
