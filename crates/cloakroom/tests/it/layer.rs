//! The layer: what a request costs, what leaves with the response, and services that are not axum's.

use std::convert::Infallible;

use axum::Router;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use cloakroom::testing::Client;
use cloakroom::{CookieConfig, Session, SubjectLimit, TestSessions, session};
use cloakroom_conformance::Operation;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{shaky, shaky_with};

type Outcome<T> = Result<T, session::Error>;

async fn read(session: Session) -> Outcome<String> {
    Ok(format!("{:?}", session.get::<u64>("n").await?))
}

async fn write(session: Session) -> Outcome<()> {
    session.insert("n", &7).await
}

#[tokio::test]
async fn reading_costs_one_load_and_writing_one_write_more() {
    // DESIGN 1.3
    let shaky = shaky();
    let twice = async |session: Session| -> Outcome<()> {
        session.get::<u64>("n").await?;
        session.clone().insert("n", &8).await?;
        session.insert("m", &9).await?;
        session.get::<u64>("m").await.map(drop)
    };
    let browser = shaky.browser(
        Router::new()
            .route("/", get(read).post(write))
            .route("/twice", post(twice)),
    );
    browser.post("/").await;
    assert_eq!(shaky.work(), (0, 1));
    for (path, posts, cost) in [
        ("/", false, (1, 0)),
        ("/", true, (1, 1)),
        ("/twice", true, (1, 1)),
    ] {
        let before = shaky.work();
        if posts {
            browser.post(path).await
        } else {
            browser.get(path).await
        };
        let after = shaky.work();
        assert_eq!((after.0 - before.0, after.1 - before.1), cost, "{path}");
    }
}

#[tokio::test]
async fn parallel_looks_of_one_request_are_one_load() {
    let shaky = shaky();
    let looks = async |request: axum::extract::Request| -> Outcome<()> {
        let session = Session::of(request.extensions())?;
        let (a, b) = tokio::join!(session.get::<u64>("a"), session.get::<u64>("b"));
        a.and(b).map(drop)
    };
    let browser = shaky.browser(Router::new().route("/", get(looks)));
    browser.login("alice").await;
    browser.get("/").await;
    assert_eq!(shaky.faults.calls(Operation::Load), 1);
}

#[tokio::test]
async fn a_response_with_a_token_is_for_nobody_else() {
    // OW-14
    let sessions = TestSessions::new();
    let cached = || {
        [
            (header::CACHE_CONTROL, "public, max-age=60"),
            (header::VARY, "Accept-Encoding"),
        ]
    };
    let routes = Router::new()
        .route(
            "/",
            get(async move |session: Session| (cached(), read(session).await)),
        )
        .route(
            "/",
            post(async move |session: Session| (cached(), write(session).await)),
        )
        .route("/public", get(async move || cached()));
    let browser = sessions.client(routes.layer(sessions.layer()));
    let vary = |answer: &cloakroom::testing::Answer| {
        let values = answer.headers().get_all("vary").iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let set = browser.post("/").await;
    assert_eq!(
        (set.header("cache-control"), vary(&set)),
        ("no-store", "Accept-Encoding, cookie".into())
    );
    let read = browser.get("/").await;
    assert_eq!(
        (read.header("cache-control"), vary(&read)),
        ("public, max-age=60", "Accept-Encoding, cookie".into())
    );
    let public = browser.get("/public").await;
    assert_eq!(
        (public.header("cache-control"), vary(&public)),
        ("public, max-age=60", "Accept-Encoding".into())
    );
}

#[tokio::test]
async fn never_two_cookies_of_our_name() {
    // CK-2
    let sessions = TestSessions::new();
    let own = async |session: Session| -> Outcome<_> {
        session.insert("n", &1).await?;
        session
            .update("m", |m: Option<u64>| m.unwrap_or(0) + 1)
            .await?;
        session.authenticate("alice").await?;
        let cookies = [
            (header::SET_COOKIE, "__Host-session=mine; Path=/"),
            (header::SET_COOKIE, "other=1"),
        ];
        Ok(axum::response::AppendHeaders(cookies))
    };
    let browser = sessions.client(Router::new().route("/", post(own)).layer(sessions.layer()));
    let answer = browser.post("/").await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert_eq!(cookies[0], "other=1");
    assert!(
        browser
            .session_cookie()
            .is_some_and(|token| token.len() == 43)
    );
}

#[tokio::test]
async fn what_was_committed_before_a_5xx_gets_its_cookie() {
    // DESIGN 1.1: after the write, the cookie is always sent.
    let shaky = shaky();
    let breaks = async |session: Session| -> Outcome<StatusCode> {
        session.update("n", |_: Option<u64>| 1).await?;
        session.insert("n", &2).await?;
        Ok(StatusCode::BAD_GATEWAY)
    };
    let browser = shaky.browser(Router::new().route("/", post(breaks).get(read)));
    let answer = browser.post("/").await;
    assert_eq!(
        (answer.status().as_u16(), answer.set_cookies().len()),
        (502, 1)
    );
    assert_eq!(browser.get("/").await.text(), "Some(1)");
}

#[tokio::test]
async fn a_touch_that_fails_costs_no_response() {
    let shaky = shaky();
    let browser = shaky.browser(Router::new().route("/", get(read)));
    browser.login("alice").await;
    shaky.sessions.advance(std::time::Duration::from_secs(120));
    shaky.fail(Operation::Touch);
    assert_eq!(browser.get("/").await.status(), 200);
    assert_eq!(shaky.faults.injected(), 1);
}

#[tokio::test]
async fn a_login_beyond_the_limit_is_refused_or_ends_the_oldest() {
    // OW-17
    use cloakroom::core::policy::OnFull;
    for (on_full, status) in [(OnFull::Deny, 403), (OnFull::EndOldest, 200)] {
        let per_subject = SubjectLimit {
            max: Some(1),
            on_full,
        };
        let shaky = shaky_with(|builder| {
            builder.policy(cloakroom::Policy {
                per_subject,
                ..Default::default()
            })
        });
        let login = async |session: Session| session.authenticate("alice").await;
        let routes = Router::new().route(
            "/",
            post(login).get(async |who: cloakroom::Principal| who.subject.to_string()),
        );
        let (first, second) = (shaky.browser(routes.clone()), shaky.browser(routes));
        assert_eq!(first.post("/").await.status(), 200);
        assert_eq!(second.post("/").await.status(), status);
        assert_eq!(
            first.get("/").await.status(),
            if status == 200 { 401 } else { 200 }
        );
    }
}

#[tokio::test]
async fn any_tower_service_will_do() {
    let sessions = TestSessions::new();
    let count = async |request: Request<()>| -> Result<Response<String>, Infallible> {
        let session = Session::of(request.extensions()).unwrap();
        let n = session
            .update("n", |n: Option<u64>| n.unwrap_or(0) + 1)
            .await
            .unwrap();
        Ok(Response::new(n.to_string()))
    };
    let service = sessions.layer().layer(service_fn(count));
    let first = service.clone().oneshot(Request::new(())).await.unwrap();
    let cookie = first.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let again = Request::builder()
        .header(header::COOKIE, cookie)
        .body(())
        .unwrap();
    assert_eq!(service.oneshot(again).await.unwrap().into_body(), "2");
}

#[tokio::test]
async fn a_refusal_has_words_in_any_body_of_text() {
    let shaky = shaky();
    shaky.fail(Operation::Create);
    let write = async |request: Request<()>| -> Result<Response<String>, Infallible> {
        Session::of(request.extensions())
            .unwrap()
            .insert("n", &1)
            .await
            .unwrap();
        Ok(Response::new("saved".into()))
    };
    let service = shaky.sessions.layer().layer(service_fn(write));
    let refused = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(
        refused.body().contains("out of reach"),
        "{}",
        refused.body()
    );
    assert!(!refused.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn an_error_of_the_service_passes_and_nothing_is_written() {
    let shaky = shaky();
    let fails = async |request: Request<()>| -> Result<Response<String>, &'static str> {
        Session::of(request.extensions())
            .unwrap()
            .insert("n", &1)
            .await
            .unwrap();
        Err("the service failed")
    };
    let service = shaky.sessions.layer().layer(service_fn(fails));
    assert_eq!(
        service.oneshot(Request::new(())).await.unwrap_err(),
        "the service failed"
    );
    assert_eq!(shaky.work(), (0, 0));
}

#[tokio::test]
async fn a_missing_layer_is_told_with_its_remedy() {
    let answer = Client::new(Router::new().route("/", get(read)))
        .get("/")
        .await;
    assert_eq!(answer.status(), 500);
    assert!(
        answer.text().contains(".layer(sessions.layer())"),
        "{}",
        answer.text()
    );
    let response = session::Error::MissingLayer.into_response();
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_persistent_cookie_lives_as_long_as_its_session() {
    // CK-5
    let cookie = CookieConfig::builder().persistent(true).build().unwrap();
    let sessions = TestSessions::with(|builder| builder.cookie(cookie));
    let browser = sessions.client(
        Router::new()
            .route("/", post(write))
            .layer(sessions.layer()),
    );
    let answer = browser.post("/").await;
    assert!(
        answer.set_cookies()[0].ends_with("; Max-Age=43200"),
        "{:?}",
        answer.set_cookies()
    );
}
