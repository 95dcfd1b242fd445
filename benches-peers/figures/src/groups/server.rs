//! The server's endpoints beside bare handlers of the same shape.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::http::{Each, Requests, Subject, measure as rounds};
use crate::options::Options;
use crate::process::{self, Running};
use crate::results::HttpFigures;
use crate::{Result, complain};

/// Of a server that lives as long as a measurement.
pub(super) const KEY: &str = "a-key-for-the-benchmarks-and-nothing-else";
const SESSIONS: usize = 1000;
/// Headers that belong to the connection or to the body; the twin's own are as long.
const NOT_RECORDED: [&str; 5] = [
    "date",
    "content-length",
    "content-type",
    "connection",
    "transfer-encoding",
];

pub(super) fn measure(options: &Options) -> Result<Vec<HttpFigures>> {
    let folder = tempfile::tempdir_in(&options.ours)?;
    let memory = Served::start(
        options,
        &["--ephemeral", "--store", "memory:?reserve=64MiB"],
    )?;
    let data = folder.path().join("data").display().to_string();
    let embedded = Served::start(options, &["--data-dir", &data])?;
    let recorded = folder.path().join("recorded.json");
    std::fs::write(&recorded, memory.record()?.to_string())?;
    let mut twin = process::pinned(&process::beside("twin")?);
    twin.arg(&recorded);
    let twin = Running::start(twin)?;
    let mut subjects = Vec::new();
    for endpoint in ["verify", "auth-request"] {
        // The twin is asked the memory store's requests.
        for (name, server, of) in [
            ("bare handler", &twin, &memory),
            ("memory store", &memory.running, &memory),
            ("embedded store", &embedded.running, &embedded),
        ] {
            let name = format!("{name}, {endpoint}");
            let script = of.script(endpoint, folder.path(), &name)?;
            subjects.push(Subject {
                name,
                server,
                script,
            });
        }
    }
    rounds(&subjects, options.of(3, 5), options.of(1, 4))
}

/// Our server, with sessions in it.
struct Served {
    running: Running,
    tokens: Vec<String>,
}

impl Served {
    fn start(options: &Options, words: &[&str]) -> Result<Self> {
        let mut command: Command = process::pinned(&options.ours.join("cloakroom"));
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(words);
        command.env("CLOAKROOM_BOOTSTRAP__API_KEY", KEY);
        let running = Running::start(command)?;
        complain(&format!(
            "{} listens on {}",
            words.join(" "),
            running.address
        ));
        let tokens = create(&running, SESSIONS)?;
        Ok(Self { running, tokens })
    }

    fn original_url(&self) -> String {
        format!("http://{}/some/page?of=theirs", self.running.address)
    }

    fn script(&self, endpoint: &str, folder: &Path, name: &str) -> Result<PathBuf> {
        let name = name.replace(' ', "-");
        if endpoint == "verify" {
            return verify_script(&self.tokens, folder, &name);
        }
        let cookie = |token: &String| format!("session={token}");
        let cookies: Vec<String> = self.tokens.iter().map(cookie).collect();
        let requests = Requests {
            method: "GET",
            path: "/auth-request",
            headers: &[
                ("X-Original-URL", &self.original_url()),
                ("X-Original-Method", "GET"),
            ],
            each: Each::Cookie(&cookies),
        };
        requests.script(folder, &name)
    }

    /// What both endpoints answer, for the twin.
    fn record(&self) -> Result<Value> {
        let at = |path: &str| format!("http://{}{path}", self.running.address);
        let token = self.tokens.first().ok_or("no session")?;
        let mut verified = ureq::post(at("/v1/sessions/verify"))
            .header("authorization", authorization())
            .send_json(json!({ "session_token": token }))?;
        let passed = ureq::get(at("/auth-request"))
            .header("cookie", format!("session={token}"))
            .header("x-original-url", self.original_url())
            .call()?;
        let body: Value = verified.body_mut().read_json()?;
        Ok(json!({
            "verify": { "headers": headers(verified.headers()), "body": body },
            "auth": { "headers": headers(passed.headers()) },
        }))
    }
}

pub(super) fn authorization() -> String {
    format!("Bearer {KEY}")
}

/// Asks for each token in turn.
pub(super) fn verify_script(tokens: &[String], folder: &Path, name: &str) -> Result<PathBuf> {
    let body = |token: &String| json!({ "session_token": token }).to_string();
    let bodies: Vec<String> = tokens.iter().map(body).collect();
    let requests = Requests {
        method: "POST",
        path: "/v1/sessions/verify",
        headers: &[
            ("Authorization", &authorization()),
            ("Content-Type", "application/json"),
        ],
        each: Each::Body(&bodies),
    };
    requests.script(folder, name)
}

fn headers(headers: &ureq::http::HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter(|(name, _)| !NOT_RECORDED.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// So many sessions of as many people: their tokens.
fn create(server: &Running, sessions: usize) -> Result<Vec<String>> {
    let agent = ureq::agent();
    (0..sessions)
        .map(|number| create_one(&agent, server, number).map(|(_, token)| token))
        .collect()
}

/// The session of one person: its id and its token.
pub(super) fn create_one(
    agent: &ureq::Agent,
    server: &Running,
    number: usize,
) -> Result<(String, String)> {
    let data: BTreeMap<_, _> = layers::payload().into_iter().collect();
    let mut response = agent
        .post(format!("http://{}/v1/sessions", server.address))
        .header("authorization", authorization())
        .send_json(json!({ "subject": format!("user-{number}"), "data": data }))?;
    let created: Value = response.body_mut().read_json()?;
    let text = |name: &str| {
        let text = created[name].as_str();
        text.map(str::to_owned).ok_or_else(|| format!("no {name}"))
    };
    Ok((text("session_id")?, text("session_token")?))
}
