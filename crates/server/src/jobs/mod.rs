//! What runs beside requests: clearing expired sessions, keeping the clock's mark, summing up refused tokens.

mod refused;
mod sweep;

use crate::state::AppState;
use cloakroom::service::{Cause, Ending};
use std::{future::Future, time::Duration};

pub use refused::Refused;

/// How often the clock's mark is kept: what a crash can cost is that much of a jump's memory.
const MARK_EVERY: Duration = Duration::from_secs(60);
/// How often refused tokens are summed up in the log.
const SUM_EVERY: Duration = Duration::from_secs(60);

/// Starts the jobs; they end when the server drains, and what is batched is written then.
pub fn start(state: &AppState) {
    let jobs = state.clone();
    tokio::spawn(until_drain(jobs.clone(), sweep::run(jobs.clone())));
    tokio::spawn(until_drain(jobs.clone(), mark_clock(jobs.clone())));
    tokio::spawn(until_drain(jobs.clone(), sum_up(jobs.clone())));
    tokio::spawn(async move { until_drain(jobs.clone(), jobs.api_keys().watch()).await });
}

/// Tells of a session that ended by itself; who ends one on purpose says so with his name.
pub fn note_ending(ending: &Ending) {
    let cause = ending.cause.as_str();
    metrics::counter!("cloakroom_sessions_ended_total", "cause" => cause).increment(1);
    if matches!(ending.cause, Cause::Expired | Cause::Displaced) {
        let subject = ending.subject.as_ref().map(|subject| subject.as_str());
        tracing::info!(target: "audit", event = "ended", session_id = %ending.id, subject, cause, "session");
    }
}

/// Registers what has to be written before the process ends; also for a command that opened the data directory.
pub fn flush_at_the_end(state: &AppState) {
    let last = state.clone();
    state.shutdown().add_hook("store", move || async move {
        let flushed = last.sessions().store().flush().await;
        let marked = last.keep().mark_clock().await;
        last.refused().sum_up();
        flushed.and(marked).map_err(|error| error.to_string())
    });
    let checked = state.clone();
    state.health().add_check("store", move || {
        let state = checked.clone();
        // A read that finds nothing is as good as one that does.
        async move {
            let asked = state.sessions().store().epoch().await;
            asked.map(drop).map_err(|error| error.to_string())
        }
    });
}

async fn until_drain(state: AppState, job: impl Future<Output = ()>) {
    let mut stopping = state.shutdown().watch();
    tokio::select! {
        () = job => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn mark_clock(state: AppState) {
    let mut timer = tokio::time::interval(MARK_EVERY);
    loop {
        timer.tick().await;
        if let Err(error) = state.keep().mark_clock().await {
            tracing::warn!(%error, "the clock's mark could not be kept");
        }
    }
}

async fn sum_up(state: AppState) {
    let mut timer = tokio::time::interval(SUM_EVERY);
    loop {
        timer.tick().await;
        state.refused().sum_up();
    }
}
