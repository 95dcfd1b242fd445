//! What a request allocates beside its handler: counts, which are the same on every machine.
//!
//! Counted over a layer that does nothing, on the same router, with the same request.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use cloakroom::{CsrfLayer, MIB, MemoryStore, Session, Sessions, session};
use tower::{Layer, Service, ServiceExt};

/// The layer that everything is compared with.
#[derive(Clone)]
struct NoLayer;

#[derive(Clone)]
struct NoService<S>(S);

impl<S> Layer<S> for NoLayer {
    type Service = NoService<S>;

    fn layer(&self, inner: S) -> NoService<S> {
        NoService(inner)
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for NoService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().unwrap();
    runtime.block_on(future)
}

fn request(cookie: Option<&str>) -> Request<Body> {
    // As in a server, where the values of all headers share one buffer and a clone is a reference count.
    let agent = HeaderValue::from_static("curl/8");
    let mut request = Request::get("/").header(header::USER_AGENT, agent);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    request.body(Body::empty()).unwrap()
}

/// Allocations of one request, the response's end included; the second one, when everything that is made once is there.
fn count(router: &Router, cookie: Option<&str>) -> u64 {
    let once = || {
        let (router, request) = (router.clone(), request(cookie));
        block_on(async {
            let mut counted = 0;
            let info = allocation_counter::measure(|| {
                let answered: Result<Response, Infallible> = futures_ready(router.oneshot(request));
                counted = answered.unwrap().status().as_u16();
            });
            assert_eq!(counted, StatusCode::OK);
            info.count_total
        })
    };
    once();
    once()
}

/// The value of a future that waits for nothing.
fn futures_ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(std::task::Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the memory store waits for nothing"),
    }
}

type Outcome = Result<&'static str, session::Error>;

async fn untouched() -> &'static str {
    "ok"
}

async fn read(session: Session) -> Outcome {
    assert_eq!(session.get::<u64>("count").await?, Some(7));
    Ok("ok")
}

async fn write(session: Session) -> Outcome {
    assert_eq!(session.get::<u64>("count").await?, Some(7));
    session.insert("count", &7_u64).await?;
    Ok("ok")
}

async fn fill(session: Session) -> Outcome {
    for name in ["alpha", "bravo", "charlie", "delta"] {
        session.insert(name, &"v".repeat(31)).await?;
    }
    session.insert("count", &7_u64).await?;
    Ok("ok")
}

/// Sessions, and the cookie of one that holds five names.
fn filled() -> (Sessions, String) {
    let sessions = Sessions::new(MemoryStore::reserve(64 * MIB));
    let router = Router::new().route("/", get(fill)).layer(sessions.layer());
    let response = block_on(router.oneshot(request(None))).unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    (sessions, cookie.split(';').next().unwrap().to_owned())
}

/// What a request costs over the layer that does nothing, whose handler answers as the other does. As in a server, the
/// router is put together once (`with_state`), not for each request.
fn over(handler: MethodRouter, has_cookie: bool) -> u64 {
    let (sessions, cookie) = filled();
    let cookie = has_cookie.then_some(&*cookie);
    let ours = Router::new().route("/", handler).layer(sessions.layer());
    let none = Router::new().route("/", get(untouched)).layer(NoLayer);
    count(&ours.with_state(()), cookie) - count(&none.with_state(()), cookie)
}

#[test]
fn an_untouched_session_allocates_next_to_nothing() {
    // What handler and response share, its place in the extensions, and the extensions' table, which axum has filled.
    assert!(over(get(untouched), false) <= 3);
    assert!(over(get(untouched), true) <= 3);
}

#[test]
fn the_guard_against_forged_requests_keeps_nothing() {
    let guarded = Router::new()
        .route("/", get(untouched))
        .layer(CsrfLayer::new());
    let none = Router::new().route("/", get(untouched)).layer(NoLayer);
    let (guarded, none) = (guarded.with_state(()), none.with_state(()));
    assert!(count(&guarded, None) <= count(&none, None) + 1);
}

#[test]
fn a_read_allocates_the_record_and_its_texts() {
    // The three above; record and data, and the name of the device.
    assert!(over(get(read), true) <= 6);
}

#[test]
fn a_write_makes_few_copies() {
    assert!(over(get(write), true) <= 17);
}

#[test]
fn a_new_session_is_made_once() {
    assert!(over(get(fill), false) <= 36);
}
