//! The last resorts: a handler that panics, and one that never answers (AV-16.5.4).

use super::{Problem, problems};
use crate::state::AppState;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

/// Turns a panic of a handler into a 500; the process and the connection live on.
pub async fn catch_panic(request: Request, next: Next) -> Response {
    let mut answer = pin!(next.run(request));
    let caught = poll_fn(|context| {
        // Unwind safety: after a panic the future is never polled again, only dropped.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
            Err(_) => Poll::Ready(None),
        }
    });
    // The panic itself was logged by the hook, with its place.
    caught
        .await
        .unwrap_or_else(|| Problem::new(&problems::INTERNAL).into_response())
}

/// Answers 503 where a handler does not begin to answer in time. A body that is already being sent is not cut off.
pub async fn time_limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let limit = state.config().server.request_timeout.get();
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(&problems::TIMED_OUT).into_response(),
    }
}
