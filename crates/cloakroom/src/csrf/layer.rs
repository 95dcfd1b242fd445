//! The rules as a tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::ORIGIN;
use http::{HeaderName, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::rules::{Origin, OriginError, Refused, Rules};
use crate::layer::{Problem, vary};

/// Refuses requests that change something and come from another site, with 403.
///
/// It goes by `Sec-Fetch-Site`, else by `Origin`, else by `Referer`. A request with none of them does not come from a
/// browser of this decade and passes, unless [`CsrfLayer::strict`]. Behind a proxy that changes `Host`, say what browsers
/// see: [`CsrfLayer::origin`].
#[derive(Debug, Clone, Default)]
pub struct CsrfLayer {
    rules: Arc<Rules>,
}

impl CsrfLayer {
    /// The default rules: own origin by `Host`, nobody else trusted.
    pub fn new() -> Self {
        Self::default()
    }

    /// The origin that browsers see us under.
    ///
    /// # Errors
    /// [`OriginError`] where `origin` is more or less than scheme, host and port (FM-4).
    pub fn origin(mut self, origin: &str) -> Result<Self, OriginError> {
        Arc::make_mut(&mut self.rules).own = Some(origin.parse()?);
        Ok(self)
    }

    /// Another origin whose requests are welcome.
    ///
    /// # Errors
    /// [`OriginError`] as [`CsrfLayer::origin`].
    pub fn trust(mut self, origin: &str) -> Result<Self, OriginError> {
        let origin: Origin = origin.parse()?;
        Arc::make_mut(&mut self.rules).trusted.push(origin);
        Ok(self)
    }

    /// Other hosts of the same site are trusted too. Default false: a sibling may be run by others.
    #[must_use]
    pub fn trust_siblings(mut self, trust: bool) -> Self {
        Arc::make_mut(&mut self.rules).siblings = trust;
        self
    }

    /// Refuses also requests that do not tell where they come from; programs must then send `Origin`. Default false.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        Arc::make_mut(&mut self.rules).strict = strict;
        self
    }

    /// The verdict on a request, for those who answer it themselves.
    ///
    /// # Errors
    /// [`Refused`] says why.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        self.rules
            .judge(request.method(), request.uri(), request.headers())
    }
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> CsrfService<S> {
        CsrfService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind [`CsrfLayer`].
#[derive(Debug, Clone)]
pub struct CsrfService<S> {
    inner: S,
    layer: CsrfLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for CsrfService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.layer.check(&request) {
            Ok(()) => CsrfFuture {
                handler: Some(self.inner.call(request)),
            },
            Err(refused) => {
                let path = request.uri().path();
                tracing::info!(target: "audit", why = refused.as_str(), path, "a forged request was refused");
                CsrfFuture { handler: None }
            }
        }
    }
}

pin_project! {
    /// The handler's response, or the refusal.
    #[derive(Debug)]
    pub struct CsrfFuture<F> {
        #[pin]
        handler: Option<F>,
    }
}

impl<F, B, E> Future for CsrfFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = match self.project().handler.as_pin_mut() {
            Some(handler) => ready!(handler.poll(context))?,
            None => Problem::new(
                StatusCode::FORBIDDEN,
                "this request comes from another site",
            )
            .into_response(),
        };
        // FM-6
        vary(
            response.headers_mut(),
            &HeaderName::from_static("sec-fetch-site"),
        );
        vary(response.headers_mut(), &ORIGIN);
        Poll::Ready(Ok(response))
    }
}
