//! What is kept, for how long, and what a failing store does.

use super::*;

#[tokio::test]
async fn scenario_the_absolute_limit_holds_while_the_session_is_busy() {
    // AV-7.3.2
    let shaky = shaky();
    let browser = shaky.browser(routes());
    browser.login("alice").await;
    let twenty_minutes = Duration::from_secs(20 * 60);
    for _ in 0..35 {
        shaky.sessions.advance(twenty_minutes);
        assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
    }
    shaky.sessions.advance(twenty_minutes);
    assert_eq!(browser.get("/").await.text(), "None ");
}

#[tokio::test]
async fn scenario_remove_on_a_loaded_session_is_persisted() {
    let shaky = shaky();
    let remove = async |session: Session| -> Outcome<()> {
        assert_eq!(session.get::<String>("a").await?.as_deref(), Some("1"));
        session.remove("a").await
    };
    let browser = shaky.browser(routes().route("/remove", post(remove)));
    browser.post("/a").await;
    browser.post("/b").await;
    assert_eq!(browser.post("/remove").await.status(), 200);
    assert_eq!(browser.get("/").await.text(), "None b=2");
}

#[tokio::test]
async fn scenario_update_in_place_is_persisted() {
    let shaky = shaky();
    let update = async |session: Session| {
        session
            .update("a", |old: Option<String>| old.unwrap_or_default() + "+")
            .await
    };
    let browser = shaky.browser(routes().route("/update", post(update)));
    browser.post("/a").await;
    assert_eq!(browser.post("/update").await.text(), "1+");
    assert_eq!(browser.get("/").await.text(), "None a=1+");
}

#[tokio::test]
async fn scenario_idle_counts_reads() {
    // AV-7.3.1
    let shaky = shaky();
    let browser = shaky.browser(routes());
    browser.login("alice").await;
    for _ in 0..4 {
        shaky.sessions.advance(Duration::from_secs(20 * 60));
        assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
    }
    shaky.sessions.advance(Duration::from_secs(30 * 60));
    assert_eq!(browser.get("/").await.text(), "None ");
}

#[tokio::test]
async fn scenario_a_visitor_whose_handler_never_touched_the_session() {
    let shaky = shaky();
    let routes = routes()
        .route(
            "/renew",
            post(async |session: Session| session.renew().await),
        )
        .route(
            "/remove",
            post(async |session: Session| session.remove("a").await),
        )
        .route(
            "/clear",
            post(async |session: Session| session.clear().await),
        );
    let browser = shaky.browser(routes);
    let answer = browser.get("/public").await;
    assert_eq!(
        (answer.text(), answer.set_cookies(), answer.header("vary")),
        ("hello", vec![], "")
    );
    assert_eq!(shaky.work(), (0, 0));
    // Looking, removing, clearing and renewing nothing is nothing either.
    for (path, posts) in [
        ("/", false),
        ("/renew", true),
        ("/remove", true),
        ("/clear", true),
        ("/logout", true),
    ] {
        let answer = if posts {
            browser.post(path).await
        } else {
            browser.get(path).await
        };
        assert_eq!(
            (answer.status().as_u16(), answer.set_cookies()),
            (200, vec![]),
            "{path}"
        );
    }
    assert_eq!(rows(&shaky).await, 0);
    // With a session, a handler that does not look at it still costs nothing.
    browser.login("alice").await;
    let before = shaky.work();
    assert!(browser.get("/public").await.set_cookies().is_empty());
    assert_eq!(shaky.work(), before);
}

#[tokio::test]
async fn scenario_a_store_error_on_load_is_an_error_and_nothing_is_written_over() {
    let shaky = shaky();
    let unread = async |request: axum::extract::Request| -> Outcome<()> {
        Session::of(request.extensions())?
            .insert("a", "overwritten")
            .await
    };
    let browser = shaky.browser(routes().route("/unread", post(unread)));
    browser.login("alice").await;
    browser.post("/a").await;
    shaky.fail(Operation::Load);
    for answer in [
        browser.get("/").await,
        browser.post("/b").await,
        browser.post("/unread").await,
    ] {
        assert_eq!(
            (answer.status().as_u16(), answer.set_cookies()),
            (503, vec![])
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(
            !answer.text().contains("fault"),
            "the inside stays inside: {}",
            answer.text()
        );
    }
    shaky.faults.clear();
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") a=1");
}

#[tokio::test]
async fn scenario_a_save_error_is_never_a_200() {
    for kind in [
        ErrorKind::Unavailable,
        ErrorKind::Full,
        ErrorKind::Corrupt,
        ErrorKind::Denied,
    ] {
        let expected = if matches!(kind, ErrorKind::Unavailable | ErrorKind::Full) {
            503
        } else {
            500
        };
        let shaky = shaky();
        let browser = shaky.browser(routes());
        shaky.faults.add(Fault::error(kind).on(Target::Writes));
        for path in ["/a", "/alice"] {
            let answer = browser.post(path).await;
            assert_eq!(
                (answer.status().as_u16(), answer.set_cookies()),
                (expected, vec![]),
                "{path} {kind:?}"
            );
        }
        shaky.faults.clear();
        browser.login("alice").await;
        let before = browser.session_cookie();
        shaky.faults.add(Fault::error(kind).on(Target::Writes));
        for path in ["/b", "/bob", "/logout"] {
            let answer = browser.post(path).await;
            assert_eq!(
                (answer.status().as_u16(), answer.set_cookies()),
                (expected, vec![]),
                "{path} {kind:?}"
            );
        }
        shaky.faults.clear();
        assert_eq!(browser.session_cookie(), before);
        assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
    }
}

#[tokio::test]
async fn scenario_the_sweeper_survives_a_store_error_and_runs_for_each_store() {
    let stores = [shaky(), shaky()];
    for shaky in &stores {
        let browser = shaky.browser(routes());
        browser.post("/a").await;
        let token: SessionToken = browser.session_cookie().unwrap().parse().unwrap();
        shaky.faults.add(
            Fault::error(ErrorKind::Unavailable)
                .on(Target::Only(Operation::Sweep))
                .times(1),
        );
        shaky.sessions.advance(Duration::from_secs(24 * 3600));
        browser.get("/").await;
        soon(until(async || shaky.faults.injected() == 1)).await;
        assert!(
            shaky
                .sessions
                .store()
                .load(token.id())
                .await
                .unwrap()
                .is_some()
        );
        shaky.sessions.advance(Duration::from_secs(61));
        browser.get("/").await;
        soon(until(async || {
            shaky
                .sessions
                .store()
                .load(token.id())
                .await
                .unwrap()
                .is_none()
        }))
        .await;
    }
}

async fn until(mut reached: impl AsyncFnMut() -> bool) {
    while !reached().await {
        tokio::task::yield_now().await;
    }
}
