//! Steps 1 and 2 of a request: the layer wraps the service, and the transport is asked what is presented.

use std::task::{Context, Poll};

use http::header::USER_AGENT;
use http::{Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::ResponseFuture;
use crate::Sessions;
use crate::session::{self, Session};

/// Gives every request a [`Session`]; made by [`Sessions::layer`].
#[derive(Debug, Clone)]
pub struct SessionLayer {
    sessions: Sessions,
}

impl SessionLayer {
    pub(crate) fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService {
            inner,
            sessions: self.sessions.clone(),
        }
    }
}

/// A service whose requests carry a [`Session`] in their extensions.
#[derive(Debug, Clone)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let session = Session::new(self.sessions.clone(), self.note(&request));
        request.extensions_mut().insert(session.clone());
        ResponseFuture::new(self.inner.call(request), session)
    }
}

impl<S> SessionService<S> {
    /// Handles to what the session may need of the request; nothing is copied.
    fn note<B>(&self, request: &Request<B>) -> session::Request {
        let front = &self.sessions.inner.front;
        let headers = request.headers();
        let client_ip = front.client_ip.as_ref();
        session::Request {
            presented: front
                .transports
                .read(headers, request.uri(), front.cookie.name()),
            user_agent: headers.get(USER_AGENT).cloned(),
            ip: client_ip.and_then(|of| of(headers, request.extensions())),
            target: request.uri().path_and_query().cloned(),
            is_unsafe: !matches!(
                *request.method(),
                Method::GET | Method::HEAD | Method::OPTIONS
            ),
        }
    }
}
