//! What happens at once, and what is cut off.

use super::*;

#[tokio::test]
async fn scenario_two_parallel_requests_write_different_keys() {
    let shaky = shaky();
    let gate = Gate::new();
    let browser = Arc::new(shaky.browser(routes()));
    browser.login("alice").await;
    // Both have read before either writes.
    shaky
        .faults
        .add(Fault::hold(&gate).on(Target::Only(Operation::Update)));
    let tasks = ["/a", "/b"].map(|path| {
        let browser = Arc::clone(&browser);
        tokio::spawn(async move { browser.post(path).await.status() })
    });
    soon(gate.arrived(2)).await;
    gate.open();
    for task in tasks {
        assert_eq!(soon(task).await.unwrap(), 200);
    }
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") a=1 b=2");
}

#[tokio::test]
async fn scenario_a_late_write_races_a_logout() {
    let shaky = shaky();
    let gate = Gate::new();
    let browser = Arc::new(shaky.browser(routes()));
    browser.login("alice").await;
    let token = browser.session_cookie().unwrap();
    shaky.faults.add(
        Fault::hold(&gate)
            .on(Target::Only(Operation::Update))
            .times(1),
    );
    let late = tokio::spawn({
        let browser = Arc::clone(&browser);
        async move { browser.post("/a").await }
    });
    soon(gate.arrived(1)).await;
    assert_eq!(browser.post("/logout").await.status(), 200);
    gate.open();
    let late = soon(late).await.unwrap();
    // Not saved, so not a 200; never resurrected, never under a new key.
    assert_eq!(late.status(), 401);
    assert!(
        late.set_cookies()
            .iter()
            .all(|cookie| cookie.contains("Max-Age=0"))
    );
    assert_eq!(rows(&shaky).await, 0);
    browser.set_cookie(shaky.sessions.cookie().name(), &token);
    assert_eq!(browser.get("/").await.text(), "None ");
}

#[tokio::test]
async fn scenario_a_late_renewal_races_a_logout() {
    let shaky = shaky();
    let gate = Gate::new();
    let routes = routes().route(
        "/renew",
        post(async |session: Session| session.renew().await),
    );
    let browser = Arc::new(shaky.browser(routes));
    browser.login("alice").await;
    shaky.faults.add(
        Fault::hold(&gate)
            .on(Target::Only(Operation::Update))
            .times(1),
    );
    let late = tokio::spawn({
        let browser = Arc::clone(&browser);
        async move { browser.post("/renew").await }
    });
    soon(gate.arrived(1)).await;
    assert_eq!(browser.post("/logout").await.status(), 200);
    gate.open();
    assert_eq!(soon(late).await.unwrap().status(), 401);
    assert_eq!(rows(&shaky).await, 0);
}

#[tokio::test]
async fn scenario_a_request_cancelled_in_mid_handler_then_logout() {
    let shaky = shaky();
    let here = Arc::new(Notify::new());
    let stuck = {
        let here = Arc::clone(&here);
        async move |session: Session| -> Outcome<()> {
            session.insert("a", "1").await?;
            session.authenticate("mallory").await?;
            here.notify_one();
            std::future::pending().await
        }
    };
    let browser = Arc::new(shaky.browser(routes().route("/stuck", post(stuck))));
    browser.login("alice").await;
    let before = browser.session_cookie();
    let request = tokio::spawn({
        let browser = Arc::clone(&browser);
        async move { browser.post("/stuck").await }
    });
    soon(here.notified()).await;
    request.abort();
    assert!(soon(request).await.unwrap_err().is_cancelled());
    // Nothing was carried out, and nothing is held.
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
    assert_eq!(browser.session_cookie(), before);
    assert_eq!(soon(browser.post("/logout")).await.status(), 200);
    assert_eq!(rows(&shaky).await, 0);
}

#[tokio::test]
async fn scenario_renewal_in_a_handler_that_answers_5xx() {
    let shaky = shaky();
    let broken = async |session: Session| -> Outcome<StatusCode> {
        session.renew().await?;
        session.replace_token().await?;
        session.insert("a", "1").await?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let browser = shaky.browser(routes().route("/broken", post(broken)));
    browser.login("alice").await;
    let before = browser.session_cookie();
    let answer = browser.post("/broken").await;
    assert_eq!(
        (answer.status().as_u16(), answer.set_cookies()),
        (500, vec![])
    );
    assert_eq!(browser.session_cookie(), before);
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
}

#[tokio::test]
async fn scenario_renewal_in_a_handler_that_panics() {
    let shaky = shaky();
    let panics = async |session: Session| {
        session.replace_token().await.unwrap();
        if session.is_new() {
            return;
        }
        panic!("on purpose");
    };
    let browser = Arc::new(shaky.browser(routes().route("/panics", post(panics))));
    browser.login("alice").await;
    let request = tokio::spawn({
        let browser = Arc::clone(&browser);
        async move { browser.post("/panics").await }
    });
    assert!(soon(request).await.unwrap_err().is_panic());
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
}

#[tokio::test]
async fn scenario_uncommitted_changes_are_invisible_to_other_requests() {
    let shaky = shaky();
    let (written, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (written, go) = (Arc::clone(&written), Arc::clone(&go));
        async move |session: Session| -> Outcome<String> {
            session.insert("a", "2").await?;
            session.authenticate("bob").await?;
            written.notify_one();
            go.notified().await;
            Ok(session.get::<String>("a").await?.unwrap_or_default())
        }
    };
    let browser = Arc::new(shaky.browser(routes().route("/slow", post(slow))));
    browser.post("/a").await;
    let request = tokio::spawn({
        let browser = Arc::clone(&browser);
        async move { browser.post("/slow").await }
    });
    soon(written.notified()).await;
    assert_eq!(browser.get("/").await.text(), "None a=1");
    go.notify_one();
    assert_eq!(soon(request).await.unwrap().text(), "2");
    assert_eq!(browser.get("/").await.text(), "Some(\"bob\") a=2");
}
