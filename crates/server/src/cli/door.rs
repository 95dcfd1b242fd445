//! The door that a management command goes through. Behind all three is the same router with the same handlers:
//! a running server's `control.sock`, a server at `--server` with an API key, or a router in this process over the data
//! directory that it opens itself.

use super::{
    Failure,
    args::Global,
    client::{self, Trust},
};
use crate::{
    config::{Config, Secret, WebOrigin},
    http::Peer,
    router, serve,
    state::AppState,
};
use axum::{Router, body::Body};
use http::{Method, Request, header};
use serde_json::Value;
use std::fs::File;
use tower::ServiceExt;
use url::Url;

/// The longest answer that a command reads.
const LONGEST_ANSWER: usize = 64 << 20;

/// A way to the management API.
#[derive(Debug)]
pub struct Door(Way);

#[derive(Debug)]
enum Way {
    Http {
        client: reqwest::Client,
        base: Url,
        key: Option<Secret>,
        _socket_folder: Option<File>,
    },
    Here {
        router: Router,
        state: AppState,
    },
}

impl Door {
    /// Takes `--server` where it is given; else the running server; else the data directory. `may_make` says whether the
    /// command makes sense in a data directory that does not exist yet: with a misspelt `--data-dir`, "session revoke"
    /// must not say that all is done.
    pub(super) async fn open(
        global: &Global,
        config: Config,
        may_make: bool,
    ) -> Result<Self, Failure> {
        if let Some(server) = &global.server {
            let trust = Trust::Authorities(global.ca_file.as_deref());
            return Self::to_server(server, api_key(global)?, trust);
        }
        if let Some(door) = Self::to_running(&config).await? {
            return Ok(door);
        }
        let data_dir = &config.server.data_dir;
        if !may_make && !data_dir.exists() {
            let why = format!(
                "no server is running, and there is no data directory {}",
                data_dir.display()
            );
            return Err(Failure::Failed(why));
        }
        Self::here(config).await
    }

    /// `trust` counts where the address is https.
    pub(super) fn to_server(
        server: &str,
        key: Option<Secret>,
        trust: Trust<'_>,
    ) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::WrongUse(format!(
                "--server: `{server}` {why}; write https://sessions.example.com"
            ))
        };
        let mut base = Url::parse(server).map_err(|_| wrong("is no address"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("is neither https nor http"));
        }
        let origin = WebOrigin::of(&base).ok_or_else(|| wrong("has no host"))?;
        if key.is_some() && !origin.is_https() && !origin.is_loopback() {
            return Err(wrong(
                "is plain http to another machine, and would carry the API key readable by anybody between",
            ));
        }
        base.set_path("/");
        let trust = if origin.is_https() {
            trust
        } else {
            Trust::Plain
        };
        let client = client::build(reqwest::Client::builder(), trust)?;
        Ok(Self(Way::Http {
            client,
            base,
            key,
            _socket_folder: None,
        }))
    }

    /// The running server's `control.sock`; `None` where nobody answers at it.
    pub(super) async fn to_running(config: &Config) -> Result<Option<Self>, Failure> {
        let Ok((path, folder)) = serve::socket_path(&config.server.data_dir) else {
            return Ok(None);
        };
        match tokio::net::UnixStream::connect(&path).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Failure::Failed(format!(
                    "{}: {error}: only the server's own user may manage it",
                    path.display()
                )));
            }
            // Left over from a killed process, or none there.
            Err(_) => return Ok(None),
        }
        Self::to_socket(&path, folder).map(Some)
    }

    pub(super) fn to_socket(path: &std::path::Path, folder: Option<File>) -> Result<Self, Failure> {
        let client = client::build(reqwest::Client::builder().unix_socket(path), Trust::Plain)?;
        let base = Url::parse("http://localhost/").map_err(Failure::failed)?;
        Ok(Self(Way::Http {
            client,
            base,
            key: None,
            _socket_folder: folder,
        }))
    }

    async fn here(config: Config) -> Result<Self, Failure> {
        if config.server.ephemeral {
            return Err(Failure::Failed(
                "no server is running, and server.ephemeral leaves no data directory to open"
                    .into(),
            ));
        }
        let data_dir = serve::DataDir::open(&config.server.data_dir).map_err(Failure::failed)?;
        let state = AppState::open(config, Some(data_dir), None)
            .await
            .map_err(Failure::Failed)?;
        Ok(Self(Way::Here {
            router: router::control(&state),
            state,
        }))
    }

    /// Flushes what was opened here.
    pub(super) async fn close(self) -> Result<(), Failure> {
        match self.0 {
            Way::Http { .. } => Ok(()),
            Way::Here { state, .. } => {
                state.shutdown().begin();
                state.shutdown().run_hooks().await.map_err(Failure::Failed)
            }
        }
    }

    /// Sends a request and gives back the answer's document (`null` for 204). `path` are its parts, which are encoded here.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut url = Url::parse("http://localhost/").map_err(Failure::failed)?;
        if let Way::Http { base, .. } = &self.0 {
            url.clone_from(base);
        }
        url.path_segments_mut()
            .map_err(|()| Failure::Failed("the address takes no path".into()))?
            .clear()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let (status, bytes) = match &self.0 {
            Way::Http { client, key, .. } => {
                over_http(client, key.as_ref(), method, url, body).await?
            }
            Way::Here { router, .. } => in_process(router, method, &url, body).await?,
        };
        if status.is_success() {
            return if bytes.is_empty() {
                Ok(Value::Null)
            } else {
                serde_json::from_slice(&bytes).map_err(|_| unreadable())
            };
        }
        Err(Failure::Failed(reason(status, &bytes)))
    }
}

fn unreadable() -> Failure {
    Failure::Failed(
        "the server's answer cannot be read: is it cloakroom that answers there?".into(),
    )
}

fn api_key(global: &Global) -> Result<Option<Secret>, Failure> {
    let text = match &global.api_key_file {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            Failure::Failed(format!(
                "--api-key-file: cannot read {}: {error}",
                path.display()
            ))
        })?),
        None => std::env::var("CLOAKROOM_API_KEY").ok(),
    };
    Ok(text.map(|text| Secret::new(text.trim().to_owned())))
}

async fn over_http(
    client: &reqwest::Client,
    key: Option<&Secret>,
    method: Method,
    url: Url,
    body: Option<&Value>,
) -> Result<(http::StatusCode, Vec<u8>), Failure> {
    let mut request = client.request(method, url);
    if let Some(key) = key {
        request = request.bearer_auth(key.expose());
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.map_err(client::told)?;
    Ok((
        response.status(),
        response.bytes().await.map_err(client::told)?.into(),
    ))
}

async fn in_process(
    router: &Router,
    method: Method,
    url: &Url,
    body: Option<&Value>,
) -> Result<(http::StatusCode, Vec<u8>), Failure> {
    let path = url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    );
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .extension(Peer::Unix);
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = request.body(body).map_err(Failure::failed)?;
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    Ok((
        status,
        axum::body::to_bytes(response.into_body(), LONGEST_ANSWER)
            .await
            .map_err(Failure::failed)?
            .into(),
    ))
}

/// A problem as one line.
fn reason(status: http::StatusCode, bytes: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let Some(title) = problem["title"].as_str() else {
        return format!("the server answered {status}");
    };
    let parts = [
        Some(title),
        problem["field"].as_str(),
        problem["detail"].as_str(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}
