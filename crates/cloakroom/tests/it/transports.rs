//! Clients that do not use the cookie.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Request};
use axum::routing::post;
use cloakroom::testing::{Answer, Client};
use cloakroom::{Session, TestSessions, Transport, Transports, session};

fn app(transports: Transports) -> (TestSessions, Client<Router>) {
    let sessions = TestSessions::with(|builder| builder.transports(transports));
    let login = async |session: Session| session.authenticate("alice").await;
    let who = async |session: Session| {
        format!("{:?}", session.subject().map(|subject| subject.to_string()))
    };
    let renew =
        async |session: Session| -> Result<(), session::Error> { session.replace_token().await };
    let routes = Router::new()
        .route("/", post(login).get(who))
        .route("/renew", post(renew))
        .layer(sessions.layer());
    (sessions.clone(), Client::new(routes))
}

async fn with(
    client: &Client<Router>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request, Body::empty()).await
}

#[tokio::test]
async fn a_bearer_client_gets_its_tokens_in_the_response_header() {
    let (_, client) = app(Transports::bearer().response_header("session-token"));
    let answer = with(&client, "POST", "/", &[]).await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(
        (answer.header("cache-control"), answer.header("vary")),
        ("no-store", "authorization")
    );
    let token = answer.header("session-token").to_owned();
    let bearer = format!("Bearer {token}");
    let answer = with(&client, "GET", "/", &[("authorization", &bearer)]).await;
    assert_eq!(
        (answer.text(), answer.header("session-token")),
        ("Some(\"alice\")", "")
    );
    let renewed = with(&client, "POST", "/renew", &[("authorization", &bearer)]).await;
    assert_ne!(renewed.header("session-token"), token);
    let answer = with(&client, "GET", "/", &[("authorization", &bearer)]).await;
    assert_eq!((answer.text(), answer.set_cookies()), ("None", vec![]));
    // The cookie is no transport here.
    let cookie = format!("__Host-session={}", renewed.header("session-token"));
    assert_eq!(
        with(&client, "GET", "/", &[("cookie", &cookie)])
            .await
            .text(),
        "None"
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_given_is_not_made() {
    let (sessions, client) = app(Transports::bearer());
    let answer = with(&client, "POST", "/", &[]).await;
    assert_eq!(answer.status(), 500);
    assert!(
        answer.text().contains("response_header"),
        "{}",
        answer.text()
    );
    let bearer = format!("Bearer {}", sessions.login("alice").await.expose());
    assert_eq!(
        with(&client, "POST", "/renew", &[("authorization", &bearer)])
            .await
            .status(),
        500
    );
    // The one it has still works.
    assert_eq!(
        with(&client, "GET", "/", &[("authorization", &bearer)])
            .await
            .text(),
        "Some(\"alice\")"
    );
}

#[tokio::test]
async fn each_client_is_answered_the_way_it_came() {
    let transports = Transports::cookie()
        .then(Transport::Bearer)
        .response_header("session-token");
    let (sessions, client) = app(transports);
    let new = with(&client, "POST", "/", &[]).await;
    assert_eq!(
        (new.set_cookies().len(), new.header("session-token")),
        (1, "")
    );
    client.forget();
    let bearer = format!("Bearer {}", sessions.login("alice").await.expose());
    let renewed = with(&client, "POST", "/renew", &[("authorization", &bearer)]).await;
    assert_eq!(
        (
            renewed.set_cookies().len(),
            renewed.header("session-token").len()
        ),
        (0, 43)
    );
    // A dead bearer token is the client's own business, a dead cookie is taken away.
    let dead = with(&client, "GET", "/", &[("authorization", &bearer)]).await;
    assert!(dead.set_cookies().is_empty());
    let cookie = format!("__Host-session={}", bearer.trim_start_matches("Bearer "));
    assert_eq!(
        with(&client, "GET", "/", &[("cookie", &cookie)])
            .await
            .set_cookies()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_bearer_of_others_leaves_the_session_alone() {
    let transports = Transports::bearer().then(Transport::Cookie);
    let (sessions, client) = app(transports);
    let cookie = format!("__Host-session={}", sessions.login("alice").await.expose());
    let headers = [
        ("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
        ("cookie", &*cookie),
    ];
    assert_eq!(
        with(&client, "GET", "/", &headers).await.text(),
        "Some(\"alice\")"
    );
}

#[tokio::test]
async fn header_and_query_carry_tokens_where_they_are_asked_to() {
    // OW-5: only by configuration.
    let header = Transport::Header(HeaderName::from_static("x-session"));
    let transports = Transports::only(header)
        .then(Transport::Query("sid".into()))
        .then(Transport::Cookie);
    let (sessions, client) = app(transports);
    let (alice, bob) = (
        sessions.login("alice").await.expose(),
        sessions.login("bob").await.expose(),
    );
    assert_eq!(
        with(&client, "GET", "/", &[("x-session", &alice)])
            .await
            .text(),
        "Some(\"alice\")"
    );
    let by_query = format!("/?sid={bob}");
    assert_eq!(
        with(&client, "GET", &by_query, &[]).await.text(),
        "Some(\"bob\")"
    );
    assert_eq!(
        with(&client, "GET", &by_query, &[("x-session", &alice)])
            .await
            .text(),
        "Some(\"alice\")"
    );
    // Two different values in one transport are none (CK-13).
    assert_eq!(
        with(&client, "GET", &format!("/?sid={bob}&sid={alice}"), &[])
            .await
            .text(),
        "None"
    );
    let (_, by_cookie_alone) = app(Transports::default());
    assert_eq!(
        with(&by_cookie_alone, "GET", &by_query, &[("x-session", &alice)])
            .await
            .text(),
        "None"
    );
}

#[tokio::test]
async fn hostile_cookie_headers_are_no_session_and_no_failure() {
    let (_, client) = app(Transports::default());
    let hostile: [&[u8]; 8] = [
        b"__Host-session",
        b"=",
        b";;;;",
        b"__Host-session=\xff\xfe",
        b"\x80\x81=\x82; __Host-session=x",
        b"__Host-session=a; __Host-session=b",
        b"__Host-session=\"quoted\"",
        b"__Host-session=%00%0d%0a",
    ];
    for value in hostile {
        let request = Request::get("/").header(
            "cookie",
            axum::http::HeaderValue::from_bytes(value).unwrap(),
        );
        let answer = client.send(request, Body::empty()).await;
        assert_eq!(
            (answer.status().as_u16(), answer.text()),
            (200, "None"),
            "{value:?}"
        );
    }
    let long = format!("__Host-session={}", "x".repeat(200_000));
    assert_eq!(
        with(&client, "GET", "/", &[("cookie", &long)]).await.text(),
        "None"
    );
}
