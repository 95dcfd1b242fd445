//! The metrics recorder of the process (Prometheus text format).

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{fmt, sync::OnceLock};

/// From half a millisecond, where the API usually is, to the request timeout.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// A handle to the process's metrics. Anything may count with the macros of the crate `metrics`.
#[derive(Clone)]
pub struct Metrics {
    handle: Option<PrometheusHandle>,
}

impl Metrics {
    /// Installs the recorder at the first call; later calls get the same one.
    #[must_use]
    pub fn install() -> Self {
        let handle = RECORDER.get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS);
            builder
                .ok()
                .and_then(|builder| builder.install_recorder().ok())
        });
        describe();
        Self {
            handle: handle.clone(),
        }
    }

    /// All metrics as Prometheus reads them.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle
            .as_ref()
            .map(PrometheusHandle::render)
            .unwrap_or_default()
    }

    /// Moves what was recorded into the histograms; without it they would grow between two scrapes.
    pub fn upkeep(&self) {
        if let Some(handle) = &self.handle {
            handle.run_upkeep();
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// The help texts, in one list.
pub fn describe() {
    metrics::describe_counter!(
        "cloakroom_http_requests_total",
        "Requests answered, by method, route template and status."
    );
    metrics::describe_histogram!(
        "cloakroom_http_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time until an answer began, by method and route template."
    );
    metrics::describe_gauge!(
        "cloakroom_connections",
        "Open connections on the configured listener."
    );
    metrics::describe_counter!(
        "cloakroom_tls_handshakes_failed_total",
        "TLS handshakes that came to nothing: too slow, plain http, nothing in common."
    );
    metrics::describe_counter!(
        "cloakroom_sessions_ended_total",
        "Sessions that this process saw ending, by cause."
    );
    metrics::describe_counter!(
        "cloakroom_sessions_swept_total",
        "Expired sessions that were cleared."
    );
    metrics::describe_counter!(
        "cloakroom_sweep_errors_total",
        "Sweeps that the store could not carry out."
    );
    metrics::describe_counter!(
        "cloakroom_store_errors_total",
        "Requests that failed because the store did, by kind: unavailable, full, denied, corrupt."
    );
    metrics::describe_counter!(
        "cloakroom_tokens_refused_total",
        "Session tokens that opened nothing, by reason."
    );
    metrics::describe_gauge!(
        "cloakroom_build_info",
        "Always 1; the label says which version runs."
    );
    metrics::gauge!("cloakroom_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
