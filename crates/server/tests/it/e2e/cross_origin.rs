//! The library behind CORS, asked by pages of other origins in real Chromium.

use super::browser::Browsers;
use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Html,
    routing::{get, post},
};
use cloakroom::{
    CookieConfig, CsrfLayer, MIB, MemoryStore, Session, Sessions, Transports, session,
};
use http::{HeaderName, HeaderValue, Method, header};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;

const TOKEN: &str = "session-token";

/// The number of visits as `path` of the API tells it to a page; `refused` where the browser shows the page nothing.
const VISIT: &str = r#"
    const kept = window.token ? {authorization: "Bearer " + window.token} : {};
    return fetch("API", {method: "POST", credentials: "include", body: "{}",
        headers: {"content-type": "application/json", ...kept}})
        .then(answer => { window.token = answer.headers.get("session-token") ?? window.token; return answer.text(); },
              () => "refused");
"#;

async fn visits(session: Session) -> Result<String, session::Error> {
    let n = session.update("visits", |n: Option<u64>| n.unwrap_or(0) + 1);
    Ok(n.await?.to_string())
}

async fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// The API for pages of `origins`, and how many preflights it has seen.
fn api(own: &str, origins: &[&str]) -> (Router, Arc<AtomicU32>) {
    let own = url::Url::parse(own).unwrap();
    let store = Sessions::builder(MemoryStore::reserve(MIB));
    let by_cookie = store
        .cookie(CookieConfig::for_origin(&own).unwrap())
        .build();
    let by_token = Sessions::builder_on(by_cookie.store().clone());
    let by_token = { by_token }.transports(Transports::bearer().response_header(TOKEN));
    let mut csrf = CsrfLayer::new();
    for origin in origins {
        csrf = csrf.trust(origin).unwrap();
    }
    let listed = origins.iter().map(|origin| HeaderValue::try_from(*origin));
    let cors = CorsLayer::new()
        .allow_origin(listed.collect::<Result<Vec<_>, _>>().unwrap())
        .allow_credentials(true)
        .allow_methods([Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([HeaderName::from_static(TOKEN)])
        .max_age(Duration::from_secs(7200));
    let preflights = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&preflights);
    let counted = from_fn(move |request: Request, next: Next| {
        if request.method() == Method::OPTIONS {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        next.run(request)
    });
    let routes = || Router::new().route("/visits", post(visits));
    let router = Router::new()
        .nest("/token", routes().layer(by_token.build().layer()))
        .merge(routes().layer(by_cookie.layer()))
        .layer(csrf)
        .layer(cors)
        .layer(counted);
    (router, preflights)
}

#[tokio::test]
async fn pages_of_other_origins_keep_their_sessions_and_strangers_get_nothing() {
    let (pages, ours) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let port = pages.local_addr().unwrap().port();
    let own = format!("http://{}", ours.local_addr().unwrap());
    let same_site = format!("http://127.0.0.1:{port}");
    let (other_site, stranger) = (
        format!("http://spa.test:{port}"),
        format!("http://stranger.test:{port}"),
    );
    let (router, preflights) = api(&own, &[&same_site, &other_site]);
    serve(ours, router).await;
    serve(
        pages,
        Router::new().route("/", get(|| async { Html("<p>a page") })),
    )
    .await;
    let browsers = Browsers::start().await;
    let browser = browsers.open().await;
    let visit = async |path: &str| {
        let script = VISIT.replace("API", &format!("{own}{path}"));
        browser
            .script(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let asked = |what: &str| {
        let count = preflights.swap(0, Ordering::SeqCst);
        assert_eq!(count, 1, "preflights of three visits {what}");
    };

    browser.visit(&same_site).await;
    for n in ["1", "2", "3"] {
        assert_eq!(visit("/visits").await, n);
    }
    asked("by cookie");
    browser.visit(&other_site).await;
    // Chromium keeps the cookie back (SameSite=Lax), so that each visit is a first one; the token goes along.
    for n in ["1", "1"] {
        assert_eq!(visit("/visits").await, n);
    }
    preflights.store(0, Ordering::SeqCst);
    browser.reload().await;
    for n in ["1", "2", "3"] {
        assert_eq!(visit("/token/visits").await, n);
    }
    browser.visit(&stranger).await;
    assert_eq!(visit("/visits").await, "refused");
    assert_eq!(visit("/token/visits").await, "refused");
    browser.visit(&same_site).await;
    assert_eq!(visit("/visits").await, "4", "a stranger's visit counted");
}
