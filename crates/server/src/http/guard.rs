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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use tower::ServiceExt;

    /// A handler that panics after its first await, as most do.
    async fn broken() -> &'static str {
        tokio::task::yield_now().await;
        panic!("broken on purpose")
    }

    // AV-16.5.4
    #[tokio::test]
    async fn a_panic_is_a_500_problem_and_the_next_request_works() {
        let routes = Router::new()
            .route("/broken", get(broken))
            .route("/fine", get(async || "fine"));
        let router = routes.layer(from_fn(catch_panic));
        let ask = async |path: &str| {
            router
                .clone()
                .oneshot(Request::get(path).body(Body::empty()).unwrap())
                .await
                .unwrap()
        };
        let response = ask("/broken").await;
        assert_eq!(response.status(), 500);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        assert!(
            !String::from_utf8_lossy(&body).contains("on purpose"),
            "the cause stays inside"
        );
        assert_eq!(ask("/fine").await.status(), 200);
    }
}
