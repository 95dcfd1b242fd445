//! What the server answers while its store is slow, full, read-only or gone, and when it is back: one table, checked cell by
//! cell, and printed as `docs/stores/degradation.md`.

use super::open::PLANTED;
use crate::{
    config::{Config, StoreUrl},
    http::Peer,
    router,
    state::AppState,
};
use axum::{Router, body::Body};
use cloakroom::{MIB, MemoryStore};
use cloakroom_conformance::{Fault, Faults, Faulty, Target};
use cloakroom_core::store::{DynRegistry, DynStore, ErrorKind, memory::MemoryRegistry};
use http::{Method, Request, header};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

/// An answer: status, the last part of the problem's type, the seconds of `Retry-After` from and to.
type Cell = (u16, &'static str, Option<(u64, u64)>);

const OK: Cell = (200, "", None);
const GONE: Cell = (503, "unavailable", Some((1, 3)));
const LATE: Cell = (503, "timed-out", Some((1, 3)));
const FULL: Cell = (503, "full", Some((60, 60)));

/// The operations, in the order of the columns; the last is `/readyz`.
const OPERATIONS: [&str; 6] = ["verify", "create", "update", "renew", "revoke", "`/readyz`"];

struct Row {
    state: &'static str,
    fault: fn() -> Option<Fault>,
    cells: [Cell; 6],
    /// The label of `cloakroom_store_errors_total` that counts.
    metric: &'static str,
}

const READY: Cell = OK;
const NOT_READY: Cell = (503, "not-ready", None);
const CREATED: Cell = (201, "", None);
const ENDED: Cell = (204, "", None);

const TABLE: [Row; 5] = [
    Row {
        state: "slow: no answer within `server.request_timeout`",
        fault: || Some(Fault::delay(Duration::from_secs(3600))),
        cells: [LATE, LATE, LATE, LATE, LATE, NOT_READY],
        metric: "",
    },
    Row {
        state: "full",
        fault: || Some(Fault::error(ErrorKind::Full).on(Target::Writes)),
        cells: [OK, FULL, FULL, FULL, FULL, READY],
        metric: "full",
    },
    Row {
        state: "read-only",
        fault: || Some(Fault::error(ErrorKind::Denied).on(Target::Writes)),
        cells: [OK, GONE, GONE, GONE, GONE, READY],
        metric: "denied",
    },
    Row {
        state: "gone, or slower than the store's own deadline",
        fault: || Some(Fault::error(ErrorKind::Unavailable)),
        cells: [GONE, GONE, GONE, GONE, GONE, NOT_READY],
        metric: "unavailable",
    },
    Row {
        state: "back",
        fault: || None,
        cells: [OK, CREATED, OK, OK, ENDED, READY],
        metric: "",
    },
];

struct Server {
    router: Router,
    state: AppState,
    faults: Faults,
}

async fn server() -> Server {
    let store = Faulty::new(MemoryStore::reserve(4 * MIB));
    let faults = store.faults();
    let registry = DynRegistry::new(MemoryRegistry::default());
    let mut config = Config::default();
    config.server.ephemeral = true;
    config.store.url = Some(StoreUrl::new("memory:".into()));
    let opening = AppState::open(config, None, None);
    let planted = (DynStore::new(store), registry);
    let state = PLANTED.scope(planted, opening).await.unwrap();
    Server {
        router: router::control(&state),
        state,
        faults,
    }
}

impl Server {
    async fn ask(&self, method: Method, path: &str, body: Value) -> (Cell, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Peer::Unix)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let later = response.headers().get(header::RETRY_AFTER).cloned();
        let later = later.map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
        let bytes = axum::body::to_bytes(response.into_body(), 100_000)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let slug = body["type"].as_str().unwrap_or_default();
        let slug = slug.rsplit(':').next().unwrap_or_default().to_owned();
        let slug: &'static str = Box::leak(slug.into_boxed_str());
        ((status, slug, later.map(|later| (later, later))), body)
    }

    async fn begin(&self) -> (String, String) {
        let made = self
            .ask(Method::POST, "/v1/sessions", json!({"subject": "alice"}))
            .await
            .1;
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("session_id"), text("session_token"))
    }

    async fn operation(&self, number: usize, (id, token): &(String, String)) -> Cell {
        let (post, by_token) = (Method::POST, json!({"session_token": token}));
        let by_id = format!("/v1/sessions/{id}");
        let asked = match number {
            0 => self.ask(post, "/v1/sessions/verify", by_token),
            1 => self.ask(post, "/v1/sessions", json!({"subject": "bob"})),
            2 => self.ask(Method::PATCH, &by_id, json!({"set": {"n": 1}})),
            3 => self.ask(post, "/v1/sessions/renew", by_token),
            4 => self.ask(Method::DELETE, &by_id, Value::Null),
            _ => self.ask(Method::GET, "/readyz", Value::Null),
        };
        asked.await.0
    }

    /// As [`AppState::metrics`] shows it.
    fn counted(&self, kind: &str) -> u64 {
        let name = format!("cloakroom_store_errors_total{{kind=\"{kind}\"}} ");
        let text = self.state.metrics().render();
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

fn is_as(found: Cell, expected: Cell) -> bool {
    let within = match (found.2, expected.2) {
        (Some((found, _)), Some((from, to))) => (from..=to).contains(&found),
        (found, expected) => found.is_none() && expected.is_none(),
    };
    (found.0, found.1) == (expected.0, expected.1) && within
}

/// Time stands still but for those who wait, so that an hour passes at once.
#[tokio::test(start_paused = true)]
async fn every_cell_of_the_table_holds() {
    for row in &TABLE {
        let server = server().await;
        for (number, operation) in OPERATIONS.iter().enumerate() {
            let session = server.begin().await;
            let before = server.counted(row.metric);
            if let Some(fault) = (row.fault)() {
                server.faults.add(fault);
            }
            let found = server.operation(number, &session).await;
            let expected = row.cells[number];
            assert!(
                is_as(found, expected),
                "{}, {operation}: {found:?}",
                row.state
            );
            let counts = !row.metric.is_empty() && expected.0 == 503 && number < 5;
            let counted = server.counted(row.metric) > before;
            assert!(
                !counts || counted,
                "{}, {operation}: not counted",
                row.state
            );
            // Back at once, and nothing was lost: who could not be reached has not been logged out.
            server.faults.clear();
            let (answer, verified) = {
                let by_token = json!({"session_token": session.1});
                server
                    .ask(Method::POST, "/v1/sessions/verify", by_token)
                    .await
            };
            assert!(is_as(answer, OK), "{}, {operation}: {answer:?}", row.state);
            let has_ended = number == 4 && expected == ENDED;
            assert_eq!(verified["active"], !has_ended, "{}, {operation}", row.state);
        }
    }
}

/// A full or read-only store still answers who is who; the use is not noted, and nobody's session gets longer by it.
#[tokio::test(start_paused = true)]
async fn a_session_is_verified_although_its_use_cannot_be_noted() {
    for kind in [ErrorKind::Full, ErrorKind::Denied] {
        let server = server().await;
        let session = server.begin().await;
        server.faults.add(Fault::error(kind).on(Target::Writes));
        tokio::time::advance(Duration::from_secs(120)).await;
        assert!(is_as(server.operation(0, &session).await, OK), "{kind:?}");
    }
}

fn shown((status, slug, later): Cell) -> String {
    let later = match later {
        None => String::new(),
        Some((from, to)) if from == to => format!(", after {from} s"),
        Some((from, to)) => format!(", after {from} to {to} s"),
    };
    let slug = if slug.is_empty() {
        String::new()
    } else {
        format!(" `{slug}`")
    };
    format!("{status}{slug}{later}")
}

fn page() -> String {
    let mut page = String::from(
        "# When the store is in trouble\n\n\
         What the server answers, by the state of the store and what is asked. `after` is the header `Retry-After`; where it is\n\
         drawn, clients that were turned away together do not come back together. No state lets anybody in who is not known to\n\
         be signed in, and none looks like a logout: a session that could not be looked at is as it was when the store is back.\n\
         This page is made from the table that a test checks cell by cell (`crates/server/src/keep/degradation.rs`).\n\n",
    );
    page += &format!("| the store is | {} | metric |\n", OPERATIONS.join(" | "));
    page += "|---|---|---|---|---|---|---|---|\n";
    for row in &TABLE {
        let cells: Vec<String> = row.cells.into_iter().map(shown).collect();
        let metric = match row.metric {
            "" => "-".to_owned(),
            kind => format!("`cloakroom_store_errors_total{{kind=\"{kind}\"}}`"),
        };
        page += &format!("| {} | {} | {metric} |\n", row.state, cells.join(" | "));
    }
    page += "\nSlow requests are in `cloakroom_http_request_duration_seconds` and, by status, in `cloakroom_http_requests_total`. The\n\
             stores outside the process answer `unavailable` when their own deadline passes (`deadline=` in the URL), so the first\n\
             row is met only where that is longer than `server.request_timeout`. A verification in a full or read-only store does\n\
             not extend the session's idle deadline: it may end earlier, never later.\n";
    page
}

/// `CLOAKROOM_BLESS=1` writes the page anew.
#[test]
fn the_docs_show_the_table() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/stores/degradation.md"
    );
    if std::env::var_os("CLOAKROOM_BLESS").is_some() {
        std::fs::write(file, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), page());
}
