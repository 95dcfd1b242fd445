//! One log line and two metrics for every request, and its name in every line that is logged on its behalf.
//!
//! What `tracing` has for that is a span. It is formatted, filtered, entered and left again for every request, and hardly
//! one of them logs a line: 2 of 17 microseconds. So the request stands beside its task, and the log's writer asks for it.

use crate::http::{RequestId, Via};
use axum::extract::{MatchedPath, Request};
use http::{Method, StatusCode};
use metrics::{Counter, Histogram};
use parking_lot::RwLock;
use std::{
    fmt,
    time::{Duration, Instant},
};

tokio::task_local! {
    /// The request that is worked on. What it spawns is no longer part of it.
    static CURRENT: Observed;
}

/// A request under way. Only the route's template is told, never the path or query: they may hold names and codes.
#[derive(Debug)]
pub struct Observed {
    started: Instant,
    id: RequestId,
    method: &'static str,
    route: Option<MatchedPath>,
    via: Via,
}

impl Observed {
    /// Begins to observe.
    #[must_use]
    pub fn begin(request: &Request, id: RequestId, via: Via) -> Self {
        Self {
            started: Instant::now(),
            id,
            method: method_label(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            via,
        }
    }

    /// Carries the work out in the name of this request. No `async fn`: that would keep the work's room twice.
    pub fn around<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        CURRENT.scope(self, work)
    }

    /// Tells log and metrics how the request that is worked on ended.
    pub fn end(status: StatusCode, tally: &Tally) {
        let took = CURRENT.try_with(|observed| {
            let took = observed.started.elapsed();
            tally.count(observed, status, took);
            took
        });
        let micros = u64::try_from(took.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
        let status = status.as_u16();
        if status >= 500 {
            tracing::warn!(target: "access", status, micros, "answered");
        } else {
            tracing::debug!(target: "access", status, micros, "answered");
        }
    }

    /// What `look` sees in the request that is worked on; `None` outside of requests.
    pub(super) fn current<T>(look: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(look).ok()
    }

    /// As a member of a JSON document.
    pub(super) fn member(&self) -> String {
        let span = serde_json::json!({
            "name": "request", "id": self.id.as_str(), "method": self.method, "route": self.route(), "via": self.via(),
        });
        format!("\"span\":{span}")
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }

    fn via(&self) -> &'static str {
        match self.via {
            Via::Control => "control",
            Via::Network => "network",
        }
    }
}

/// As a person reads it in front of a log line.
impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, method, route, via) = (self.id.as_str(), self.method, self.route(), self.via());
        write!(
            f,
            "request{{id={id:?} method={method:?} route={route:?} via={via:?}}}: "
        )
    }
}

/// The metrics of one route, found once: looking them up by their labels costs more than many a request.
#[derive(Debug, Default)]
pub struct Tally(RwLock<Vec<Line>>);

struct Line {
    route: String,
    method: &'static str,
    status: StatusCode,
    answered: Counter,
    took: Histogram,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.route, self.status)
    }
}

impl Tally {
    fn count(&self, observed: &Observed, status: StatusCode, took: Duration) {
        let (route, method) = (observed.route(), observed.method);
        let is_it =
            |line: &&Line| line.status == status && line.method == method && line.route == route;
        if let Some(line) = self.0.read().iter().find(is_it) {
            return line.add(took);
        }
        let line = Line::new(route, method, status);
        line.add(took);
        let mut lines = self.0.write();
        if !lines.iter().any(|known| is_it(&known)) {
            lines.push(line);
        }
    }
}

impl Line {
    fn new(route: &str, method: &'static str, status: StatusCode) -> Self {
        let route = route.to_owned();
        Self {
            answered: metrics::counter!("cloakroom_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.as_str().to_owned()),
            took: metrics::histogram!("cloakroom_http_request_duration_seconds", "method" => method, "route" => route.clone()),
            route,
            method,
            status,
        }
    }

    fn add(&self, took: Duration) {
        self.answered.increment(1);
        self.took.record(took.as_secs_f64());
    }
}

/// A stranger may send any method; a label for each would fill the memory.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
