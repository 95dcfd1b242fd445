//! First the verdict, then the handler.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::require::{Refusal, failed};
use crate::session::Error;

type Verdict = Pin<Box<dyn Future<Output = Result<Option<Refusal>, Error>> + Send>>;

pin_project! {
    /// The response of a guarded service.
    pub struct GuardFuture<S, R, B>
    where
        S: Service<R, Response = Response<B>>,
    {
        verdict: Verdict,
        waiting: Option<(S, R)>,
        #[pin]
        handler: Option<S::Future>,
    }
}

impl<S, R, B> GuardFuture<S, R, B>
where
    S: Service<R, Response = Response<B>>,
{
    pub(super) fn new(service: S, request: R, verdict: Verdict) -> Self {
        Self {
            verdict,
            waiting: Some((service, request)),
            handler: None,
        }
    }
}

impl<S, R, B> Future for GuardFuture<S, R, B>
where
    S: Service<R, Response = Response<B>>,
    B: Default + 'static,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.handler.is_none() {
            match ready!(this.verdict.as_mut().poll(context)) {
                Ok(None) => {}
                Ok(Some(refusal)) => return Poll::Ready(Ok(refusal.into_response())),
                Err(error) => return Poll::Ready(Ok(failed(&error))),
            }
            if let Some((mut service, request)) = this.waiting.take() {
                this.handler.set(Some(service.call(request)));
            }
        }
        match this.handler.as_pin_mut() {
            Some(handler) => handler.poll(context),
            None => Poll::Pending,
        }
    }
}
