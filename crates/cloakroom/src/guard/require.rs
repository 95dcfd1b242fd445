//! Who may pass, and what the others are told.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ACCEPT, CACHE_CONTROL, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower_layer::Layer;
use tower_service::Service;

use super::future::GuardFuture;
use crate::extract::Principal;
use crate::layer::{Problem, refuse};
use crate::session::{Error, Session};

/// Unreserved characters of RFC 3986 and the slash stay.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Lets only signed-in people through. A browser that navigates is sent to `login` with `return_to=` the path it asked
/// for; everything else gets 401. Put it inside the session layer: `.route_layer(require_login("/login"))` before
/// `.layer(sessions.layer())`.
///
/// The login page must send people back only to targets that begin with a single `/`: a link may carry any `return_to`.
pub fn require_login(login: impl Into<String>) -> Require {
    Require {
        rule: Arc::new(Rule {
            login: Some(login.into()),
            acr: Vec::new(),
        }),
    }
}

/// Lets only people through who were proven by one of the context classes in `acr`. Others who are signed in get 403 with
/// the challenge of RFC 9470; who is not signed in gets 401.
pub fn require_acr<I>(acr: I) -> Require
where
    I: IntoIterator,
    I::Item: Into<Box<str>>,
{
    Require {
        rule: Arc::new(Rule {
            login: None,
            acr: acr.into_iter().map(Into::into).collect(),
        }),
    }
}

/// The layer of [`require_login`] and [`require_acr`].
#[derive(Debug, Clone)]
pub struct Require {
    rule: Arc<Rule>,
}

#[derive(Debug)]
struct Rule {
    login: Option<String>,
    acr: Vec<Box<str>>,
}

impl<S> Layer<S> for Require {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> RequireService<S> {
        RequireService {
            inner,
            rule: Arc::clone(&self.rule),
        }
    }
}

/// A service behind [`Require`].
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    rule: Arc<Rule>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = GuardFuture<S, Request<ReqBody>, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The one that is ready goes along; a fresh clone waits for its turn.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let session = Session::of(request.extensions());
        let asked = Asked::of(&request);
        let rule = Arc::clone(&self.rule);
        let verdict = async move { rule.judge(session?, asked).await };
        GuardFuture::new(ready, request, Box::pin(verdict))
    }
}

/// A refusal, ready but for the type of its body.
pub(super) struct Refusal(pub(super) Problem, pub(super) HeaderMap);

impl Refusal {
    pub(super) fn into_response<B: Default + 'static>(self) -> Response<B> {
        let mut response = self.0.into_response();
        response.headers_mut().extend(self.1);
        response
    }
}

pub(super) fn failed<B: Default + 'static>(error: &Error) -> Response<B> {
    refuse(error)
}

/// What the answer to someone who may not pass depends on.
#[derive(Clone, Copy)]
struct Asked {
    navigates: bool,
}

impl Asked {
    fn of<B>(request: &Request<B>) -> Self {
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let mode = HeaderName::from_static("sec-fetch-mode");
        let navigates = match request.headers().get(mode) {
            Some(mode) => mode == "navigate",
            None => {
                let accept = request.headers().get(ACCEPT);
                accept
                    .and_then(|accept| accept.to_str().ok())
                    .is_some_and(|accept| accept.contains("text/html"))
            }
        };
        Self {
            navigates: safe && navigates,
        }
    }
}

impl Rule {
    /// `None` lets the request pass.
    async fn judge(&self, session: Session, asked: Asked) -> Result<Option<Refusal>, Error> {
        let Some(principal) = Principal::of(&session).await? else {
            return Ok(Some(self.sign_in(&session, asked)));
        };
        let strong = principal
            .acr
            .as_ref()
            .is_some_and(|acr| self.acr.contains(acr));
        if self.acr.is_empty() || strong {
            return Ok(None);
        }
        let mut headers = HeaderMap::new();
        let wanted = self.acr.join(" ").replace(['"', '\\'], "");
        let challenge =
            format!("Bearer error=\"insufficient_user_authentication\", acr_values=\"{wanted}\"");
        if let Ok(value) = HeaderValue::try_from(challenge) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        Ok(Some(Refusal(
            Problem::new(StatusCode::FORBIDDEN, "a stronger proof is needed"),
            headers,
        )))
    }

    fn sign_in(&self, session: &Session, asked: Asked) -> Refusal {
        let mut headers = HeaderMap::new();
        let login = self.login.as_ref().filter(|_| asked.navigates);
        let location = login.and_then(|login| {
            let target = session.target().map_or("/", |target| target.as_str());
            let joint = if login.contains('?') { '&' } else { '?' };
            let target = utf8_percent_encode(target, QUERY_VALUE);
            HeaderValue::try_from(format!("{login}{joint}return_to={target}")).ok()
        });
        let Some(location) = location else {
            return Refusal(
                Problem::new(StatusCode::UNAUTHORIZED, "sign in first"),
                headers,
            );
        };
        headers.insert(LOCATION, location);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Refusal(Problem::new(StatusCode::FOUND, "sign in first"), headers)
    }
}
