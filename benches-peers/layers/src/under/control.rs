//! No sessions: the floor.

use std::task::{Context, Poll};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::SET_COOKIE;
use tower::Service;

/// Forwards, and nothing else.
#[derive(Debug, Clone)]
pub struct NoOp<S>(pub S);

impl<S: Service<R>, R> Service<R> for NoOp<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

pub(super) fn router() -> Router {
    Router::new()
        .route("/begin", get(begin))
        .route("/", get(untouched))
        .route("/read", get(count))
        .route("/write", get(count))
        .route("/update", get(count))
        .route("/new", get(count))
}

/// The handler that looks at no session, under whatever layer.
pub(super) async fn untouched() -> &'static str {
    "hello"
}

async fn count() -> String {
    1000.to_string()
}

/// A cookie of the size of tower-sessions', so that the control's request is as long.
async fn begin() -> Response {
    let cookie = HeaderValue::from_static("id=q3Zl0bX7nT2vYw8sKp5mRj; HttpOnly");
    ([(SET_COOKIE, cookie)], "begun").into_response()
}
