//! `Data<T>` and `Principal`.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use cloakroom::{Data, Principal, Session, session};
use cloakroom_conformance::Operation;
use serde::{Deserialize, Serialize};

use crate::support::{shaky, soon};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Visit {
    count: u64,
    theme: String,
    items: Vec<String>,
}

type Outcome<T> = Result<T, session::Error>;

fn routes() -> Router {
    let show =
        async |data: Data<Visit>| format!("{} {} {:?}", data.count, data.get().theme, data.items);
    let count = async |data: Data<Visit>| -> Outcome<String> {
        let answer = data
            .update(|visit| {
                visit.count += 1;
                visit.count
            })
            .await?;
        assert_eq!(data.count, answer);
        Ok(answer.to_string())
    };
    let theme = async |data: Data<Visit>| data.update(|visit| visit.theme = "dark".into()).await;
    let add = async |data: Data<Visit>| data.update(|visit| visit.items.push("coat".into())).await;
    let wrong = async |session: Session| session.insert("count", "many").await;
    let nothing = async |data: Data<Visit>| {
        data.update(|visit| visit.count)
            .await
            .map(|count| count.to_string())
    };
    Router::new()
        .route("/", get(show))
        .route("/count", post(count))
        .route("/theme", post(theme))
        .route("/add", post(add))
        .route("/wrong", post(wrong))
        .route("/nothing", post(nothing))
        .route(
            "/names",
            get(async |session: Session| -> Outcome<String> {
                Ok(format!("{:?}", session.data().await?))
            }),
        )
        .route(
            "/who",
            get(async |who: Principal| format!("{} {}", who.subject, who.session_id)),
        )
        .route(
            "/maybe",
            get(async |who: Option<Principal>| {
                format!("{:?}", who.map(|who| who.subject.to_string()))
            }),
        )
}

#[tokio::test]
async fn each_field_is_a_name_and_only_changed_ones_are_written() {
    let shaky = shaky();
    let browser = shaky.browser(routes());
    assert_eq!(browser.get("/").await.text(), "0  []");
    assert_eq!(browser.post("/nothing").await.text(), "0");
    assert!(
        browser.session_cookie().is_some(),
        "defaults are written the first time, or they would not be there"
    );
    assert_eq!(browser.post("/theme").await.status(), 200);
    assert_eq!(browser.post("/count").await.text(), "1");
    assert_eq!(browser.get("/").await.text(), "1 dark []");
    let before = shaky.work();
    assert_eq!(browser.post("/nothing").await.text(), "1");
    assert_eq!(
        shaky.work().1,
        before.1,
        "nothing changed, nothing is written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_changes_of_a_typed_session_lose_nothing() {
    let shaky = shaky();
    let browser = Arc::new(shaky.browser(routes()));
    browser.login("alice").await;
    let mut tasks = Vec::new();
    for path in ["/count", "/add", "/theme"].repeat(16) {
        let browser = Arc::clone(&browser);
        tasks.push(tokio::spawn(
            async move { browser.post(path).await.status() },
        ));
    }
    for task in tasks {
        assert_eq!(soon(task).await.unwrap(), 200);
    }
    assert_eq!(
        browser.get("/").await.text(),
        format!("16 dark {:?}", vec!["coat"; 16])
    );
}

#[tokio::test]
async fn a_field_of_another_type_is_an_error_and_is_not_written_over() {
    let shaky = shaky();
    let browser = shaky.browser(routes());
    browser.post("/wrong").await;
    for answer in [browser.get("/").await, browser.post("/count").await] {
        assert_eq!(answer.status(), 500);
        assert!(!answer.text().contains("many"));
    }
    assert_eq!(browser.get("/names").await.text(), "{\"count\"}");
}

#[tokio::test]
async fn a_principal_is_there_or_401_or_503() {
    let shaky = shaky();
    let browser = shaky.browser(routes());
    assert_eq!(browser.get("/who").await.status(), 401);
    assert_eq!(browser.get("/maybe").await.text(), "None");
    browser.post("/count").await;
    assert_eq!(
        browser.get("/who").await.status(),
        401,
        "an anonymous session is nobody"
    );
    browser.login("alice").await;
    let token: cloakroom::SessionToken = browser.session_cookie().unwrap().parse().unwrap();
    assert_eq!(
        browser.get("/who").await.text(),
        format!("alice {}", token.id())
    );
    assert_eq!(browser.get("/maybe").await.text(), "Some(\"alice\")");
    shaky.fail(Operation::Load);
    for path in ["/who", "/maybe", "/", "/names"] {
        assert_eq!(browser.get(path).await.status(), 503, "{path}");
    }
}
