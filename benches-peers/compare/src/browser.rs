//! A browser without a network: sends scripts, keeps cookies.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::script::{Op, Script};

/// One browser with its jar. A clone is another tab that was opened now: what either gets later, the other does not see
/// until it is told.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    jar: BTreeMap<String, String>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// What was read, in order; empty where the answer is no 200.
    pub(crate) values: Vec<Value>,
    pub(crate) cookies: Vec<SetCookie>,
}

/// One `Set-Cookie`.
#[derive(Debug)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// In lower case, without spaces.
    pub(crate) attributes: Vec<String>,
}

impl SetCookie {
    fn parse(header: &HeaderValue) -> Option<Self> {
        let mut parts = header.to_str().ok()?.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        Some(Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            attributes: parts.map(|part| part.trim().to_ascii_lowercase()).collect(),
        })
    }

    /// Whether it takes the cookie away.
    pub(crate) fn is_removal(&self) -> bool {
        self.has("max-age=0") || self.has("expires=thu, 01 jan 1970 00:00:00 gmt")
    }

    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|other| other == attribute)
    }
}

impl Browser {
    pub(crate) fn new(router: &Router) -> Self {
        Self {
            router: router.clone(),
            jar: BTreeMap::new(),
        }
    }

    /// What it would send.
    pub(crate) fn jar(&self) -> &BTreeMap<String, String> {
        &self.jar
    }

    /// Another cookie value under the name there is, as an attacker would plant it.
    pub(crate) fn plant(&mut self, name: &str, value: &str) {
        self.jar.insert(name.to_owned(), value.to_owned());
    }

    /// One request; the jar is as the answer left it.
    pub(crate) async fn send(&mut self, ops: &[Op]) -> Answer {
        let answer = request(self.router.clone(), self.header(), ops.into()).await;
        self.take(&answer);
        answer
    }

    /// One request beside others; the jar stays until [`Browser::take`].
    pub(crate) fn start(&self, ops: &[Op]) -> JoinHandle<Answer> {
        tokio::spawn(request(self.router.clone(), self.header(), ops.into()))
    }

    /// Does what the answer's cookies say.
    pub(crate) fn take(&mut self, answer: &Answer) {
        for cookie in &answer.cookies {
            if cookie.is_removal() {
                self.jar.remove(&cookie.name);
            } else {
                self.jar.insert(cookie.name.clone(), cookie.value.clone());
            }
        }
    }

    /// The value under `name`, null where there is none.
    pub(crate) async fn get(&mut self, name: &'static str) -> Value {
        let answer = self.send(&[Op::Get(name)]).await;
        answer.values.into_iter().next().unwrap_or(Value::Null)
    }

    fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        HeaderValue::try_from(pairs.join("; ")).ok()
    }
}

async fn request(router: Router, cookie: Option<HeaderValue>, ops: std::sync::Arc<[Op]>) -> Answer {
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Script(ops));
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie);
    }
    let response = router
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    let (head, body) = response.into_parts();
    let cookies = head
        .headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(SetCookie::parse)
        .collect();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    Answer {
        status: head.status,
        values: serde_json::from_slice(&body).unwrap_or_default(),
        cookies,
    }
}
