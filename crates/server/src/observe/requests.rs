//! One span, one log line and two metrics for every request.

use crate::http::{RequestId, Via};
use axum::extract::{MatchedPath, Request};
use http::{Method, StatusCode};
use metrics::{Counter, Histogram};
use parking_lot::RwLock;
use std::time::{Duration, Instant};
use tracing::Span;

/// A request under way. Only the route's template is told, never the path or query: they may hold names and codes.
#[derive(Debug)]
pub struct Observed {
    started: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
}

impl Observed {
    /// Begins to observe; everything further in belongs into the span.
    pub fn begin(request: &Request, id: &RequestId, via: Via) -> (Self, Span) {
        let observed = Self {
            started: Instant::now(),
            method: method_label(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
        };
        let via = match via {
            Via::Control => "control",
            Via::Network => "network",
        };
        let (id, method, route) = (id.as_str(), observed.method, observed.route());
        let span = tracing::info_span!("request", id, method, route, via);
        (observed, span)
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }

    /// Tells log and metrics how it ended. To be called within the span.
    pub fn end(&self, status: StatusCode, tally: &Tally) {
        let took = self.started.elapsed();
        tally.count(self, status, took);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let status = status.as_u16();
        if status >= 500 {
            tracing::warn!(target: "access", status, micros, "answered");
        } else {
            tracing::debug!(target: "access", status, micros, "answered");
        }
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

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
