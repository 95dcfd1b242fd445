//! A browser without a network: requests go straight into a service, cookies are kept.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;

use axum_core::body::Body;
use bytes::{Bytes, BytesMut};
use cloakroom_core::SessionToken;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use parking_lot::Mutex;
use tower_service::Service;

use super::TestSessions;

/// A client with a cookie jar in front of a tower service, such as an axum `Router`.
///
/// It keeps what `Set-Cookie` sets and drops what it clears; paths, domains and Secure are not looked at. Its methods panic
/// where something goes wrong, as tests do.
#[derive(Debug)]
pub struct Client<S> {
    service: S,
    jar: Mutex<BTreeMap<String, String>>,
    sessions: Option<TestSessions>,
}

impl<S: Clone> Clone for Client<S> {
    /// Another browser with the same cookies, from now on apart.
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            jar: Mutex::new(self.jar.lock().clone()),
            sessions: self.sessions.clone(),
        }
    }
}

impl<S> Client<S> {
    /// A client with an empty jar.
    pub fn new(service: S) -> Self {
        Self {
            service,
            jar: Mutex::default(),
            sessions: None,
        }
    }

    pub(super) fn of(mut self, sessions: TestSessions) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// The value of a cookie in the jar.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().get(name).cloned()
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().insert(name.to_owned(), value.to_owned());
    }

    /// Empties the jar.
    pub fn forget(&self) {
        self.jar.lock().clear();
    }

    /// The session cookie's value.
    ///
    /// # Panics
    /// Where the client was not made by [`TestSessions::client`].
    pub fn session_cookie(&self) -> Option<String> {
        self.cookie(self.sessions().cookie().name())
    }

    /// Puts a session token into the jar, as its cookie.
    ///
    /// # Panics
    /// Where the client was not made by [`TestSessions::client`].
    pub fn present(&self, token: &SessionToken) {
        self.set_cookie(self.sessions().cookie().name(), &token.expose());
    }

    /// Signs `subject` in without asking the application: a new session, its cookie in the jar.
    ///
    /// # Panics
    /// Where the client was not made by [`TestSessions::client`].
    pub async fn login(&self, subject: &str) {
        let token = self.sessions().login(subject).await;
        self.present(&token);
    }

    #[expect(clippy::expect_used, reason = "a helper for tests")]
    fn sessions(&self) -> &TestSessions {
        self.sessions
            .as_ref()
            .expect("a client made by TestSessions::client")
    }
}

impl<S> Client<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// POST without a body.
    pub async fn post(&self, path: &str) -> Answer {
        self.send(Request::post(path), Body::empty()).await
    }

    /// POST of a form that is encoded already: `user=alice&return_to=%2F`.
    pub async fn post_form(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(form.to_owned())).await
    }

    /// Any request; the jar's cookies are added.
    ///
    /// # Panics
    /// Where the request is not one.
    #[expect(clippy::expect_used, reason = "a helper for tests")]
    pub async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Answer {
        let mut request = request.body(body.into()).expect("a request");
        if let Some(cookies) = self.cookies() {
            request.headers_mut().append(COOKIE, cookies);
        }
        let mut service = self.service.clone();
        let Ok(()) = poll_fn(|context| service.poll_ready(context)).await;
        let Ok(response) = service.call(request).await;
        let answer = Answer::of(response).await;
        self.keep(&answer.headers);
        answer
    }

    #[expect(clippy::expect_used, reason = "a helper for tests")]
    fn cookies(&self) -> Option<HeaderValue> {
        let jar = self.jar.lock();
        let pairs: Vec<_> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty())
            .then(|| HeaderValue::try_from(pairs.join("; ")).expect("cookies that fit a header"))
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut jar = self.jar.lock();
        for set in headers.get_all(SET_COOKIE) {
            let text = set.to_str().unwrap_or_default();
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            if attributes
                .split(';')
                .any(|attribute| attribute.trim() == "Max-Age=0")
            {
                jar.remove(name.trim());
            } else {
                jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// A response, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    #[expect(clippy::expect_used, reason = "a helper for tests")]
    async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let mut body = pin!(body);
        let mut bytes = BytesMut::new();
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            if let Ok(data) = frame.expect("the body ends well").into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Self {
            status: parts.status,
            headers: parts.headers,
            body: bytes.freeze(),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// All `Set-Cookie` values.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect()
    }

    /// The body as text.
    ///
    /// # Panics
    /// Where it is no UTF-8.
    #[expect(clippy::expect_used, reason = "a helper for tests")]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }
}
