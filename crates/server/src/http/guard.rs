//! The last resorts: a handler that panics, and one that never answers (AV-16.5.4).

use super::{Problem, problems};
use axum::response::{IntoResponse, Response};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

/// Turns a panic of a handler into a 500; the process and the connection live on.
pub async fn caught(answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
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
pub async fn limited(
    answer: impl Future<Output = Result<Response, Infallible>>,
    limit: Duration,
) -> Response {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => Problem::new(&problems::TIMED_OUT)
            .header(http::header::RETRY_AFTER, super::soon())
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn problem(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let body = axum::body::to_bytes(response.into_body(), 10_000).await;
        (status, String::from_utf8_lossy(&body.unwrap()).into_owned())
    }

    /// AV-16.5.4. The handler panics after its first await, as most do.
    #[tokio::test]
    async fn a_panic_is_a_500_problem_that_keeps_its_cause() {
        let broken = async {
            tokio::task::yield_now().await;
            panic!("broken on purpose")
        };
        let (status, body) = problem(caught(broken).await).await;
        assert_eq!(status, 500);
        assert!(!body.contains("on purpose"), "the cause stays inside");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_a_503() {
        let answer = limited(std::future::pending(), Duration::from_secs(30)).await;
        assert_eq!(problem(answer).await.0, 503);
    }
}
