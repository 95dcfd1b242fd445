//! `require_login`, `require_acr` and the CSRF layer, inside the session layer.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::{get, post};
use cloakroom::testing::Answer;
use cloakroom::{CsrfLayer, Proof, Session, Subject, require_acr, require_login};
use cloakroom_conformance::Operation;

use crate::support::{Shaky, shaky};

fn browser(shaky: &Shaky) -> cloakroom::testing::Client<Router> {
    let open = Router::new()
        .route("/login", get(async || "the form"))
        .route(
            "/mfa",
            post(async |session: Session| {
                let proof = Proof {
                    acr: Some("mfa".into()),
                    ..Proof::of(Subject::new("alice")?)
                };
                session.authenticate_with(proof).await
            }),
        );
    let home = Router::new().route("/home", get(async || "welcome").post(async || "done"));
    let money = Router::new()
        .route("/money", get(async || "gold"))
        .route_layer(require_acr(["mfa", "hardware"]));
    let inner = home.route_layer(require_login("/login"));
    shaky.browser(open.merge(money).nest("/app", inner))
}

async fn navigate(client: &cloakroom::testing::Client<Router>, path: &str) -> Answer {
    client
        .send(
            Request::get(path).header("accept", "text/html,*/*;q=0.8"),
            Body::empty(),
        )
        .await
}

#[tokio::test]
async fn a_navigation_is_sent_to_the_login_and_back() {
    let shaky = shaky();
    let client = browser(&shaky);
    let answer = navigate(&client, "/app/home?tab=1&x=a%20b").await;
    let location = "/login?return_to=/app/home%3Ftab%3D1%26x%3Da%2520b";
    assert_eq!(
        (answer.status().as_u16(), answer.header("location")),
        (302, location)
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    client.login("alice").await;
    assert_eq!(navigate(&client, "/app/home").await.text(), "welcome");
}

#[tokio::test]
async fn everything_else_gets_401() {
    let shaky = shaky();
    let client = browser(&shaky);
    assert_eq!(client.get("/app/home").await.status(), 401);
    assert_eq!(client.post("/app/home").await.status(), 401);
    let fetch = Request::get("/app/home")
        .header("accept", "text/html")
        .header("sec-fetch-mode", "cors");
    assert_eq!(client.send(fetch, Body::empty()).await.status(), 401);
    client.login("alice").await;
    assert_eq!(client.post("/app/home").await.text(), "done");
    shaky.fail(Operation::Load);
    assert_eq!(navigate(&client, "/app/home").await.status(), 503);
}

#[tokio::test]
async fn a_weaker_proof_is_told_what_is_wanted() {
    // RFC 9470
    let shaky = shaky();
    let client = browser(&shaky);
    assert_eq!(client.get("/money").await.status(), 401);
    client.login("alice").await;
    let answer = client.get("/money").await;
    let challenge =
        "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa hardware\"";
    assert_eq!(
        (answer.status().as_u16(), answer.header("www-authenticate")),
        (403, challenge)
    );
    client.post("/mfa").await;
    assert_eq!(client.get("/money").await.text(), "gold");
}

#[tokio::test]
async fn without_the_session_layer_the_remedy_is_told() {
    let routes = Router::new()
        .route("/", get(async || "in"))
        .route_layer(require_login("/login"));
    let answer = cloakroom::testing::Client::new(routes).get("/").await;
    assert_eq!(answer.status(), 500);
    assert!(answer.text().contains("sessions.layer()"));
}

#[tokio::test]
async fn a_forged_form_never_reaches_the_handler() {
    // FM-1, FM-6
    let shaky = shaky();
    let write = async |session: Session| session.insert("n", &1).await;
    let client = shaky.browser(
        Router::new()
            .route("/", post(write))
            .layer(CsrfLayer::new()),
    );
    client.login("alice").await;
    let before = shaky.work();
    let forged = Request::post("/")
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://evil.example");
    let answer = client.send(forged, Body::empty()).await;
    assert_eq!(answer.status(), 403);
    let vary: Vec<_> = answer.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["sec-fetch-site", "origin"]);
    assert_eq!(shaky.work(), before);
    let own = Request::post("/").header("sec-fetch-site", "same-origin");
    assert_eq!(client.send(own, Body::empty()).await.status(), 200);
}
