//! Scenarios that every session layer should survive (PEERS.md, end), each by its name. The one about a database's time
//! zone belongs to the SQL stores.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use cloakroom::core::store::{ErrorKind, Scope};
use cloakroom::{Session, SessionToken, session};
use cloakroom_conformance::{Fault, Gate, Operation, Target};
use tokio::sync::Notify;

use crate::support::{Shaky, shaky, soon};

type Outcome<T> = Result<T, session::Error>;

async fn read(session: Session) -> Outcome<String> {
    let mut all: Vec<String> = Vec::new();
    for name in ["a", "b"] {
        if let Some(value) = session.get::<String>(name).await? {
            all.push(format!("{name}={value}"));
        }
    }
    Ok(format!(
        "{:?} {}",
        session.subject().map(|subject| subject.to_string()),
        all.join(" ")
    ))
}

async fn set_a(session: Session) -> Outcome<()> {
    session.insert("a", "1").await
}

async fn set_b(session: Session) -> Outcome<()> {
    session.insert("b", "2").await
}

async fn logout(session: Session) -> Outcome<()> {
    session.end().await
}

async fn login_as(session: &Session, who: &str) -> Outcome<()> {
    session.authenticate(who).await
}

fn routes() -> Router {
    Router::new()
        .route("/", get(read))
        .route("/a", post(set_a))
        .route("/b", post(set_b))
        .route("/logout", post(logout))
        .route(
            "/alice",
            post(async |session: Session| login_as(&session, "alice").await),
        )
        .route(
            "/bob",
            post(async |session: Session| login_as(&session, "bob").await),
        )
        .route("/public", get(async || "hello"))
}

async fn rows(shaky: &Shaky) -> usize {
    shaky
        .sessions
        .list(Scope::Everything, None, 100)
        .await
        .unwrap()
        .records
        .len()
}

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
async fn scenario_user_a_becomes_user_b_in_one_session() {
    // OW-10
    let shaky = shaky();
    let switch = async |session: Session| -> Outcome<String> {
        session.insert("b", "written for alice").await?;
        session.authenticate("bob").await?;
        // Gone from view at once, not only after the write.
        let seen = (
            session.get::<String>("a").await?,
            session.get::<String>("b").await?,
        );
        Ok(format!("{seen:?}"))
    };
    let browser = shaky.browser(routes().route("/switch", post(switch)));
    browser.login("alice").await;
    browser.post("/a").await;
    let (old, id) = (
        browser.session_cookie().unwrap(),
        shaky
            .sessions
            .list(Scope::Everything, None, 1)
            .await
            .unwrap(),
    );
    assert_eq!(browser.post("/switch").await.text(), "(None, None)");
    let new = browser.session_cookie().unwrap();
    assert_ne!(old, new);
    assert_eq!(browser.get("/").await.text(), "Some(\"bob\") ");
    assert_eq!(
        shaky
            .sessions
            .list(Scope::Everything, None, 1)
            .await
            .unwrap()
            .records[0]
            .id,
        id.records[0].id
    );
    browser.set_cookie(shaky.sessions.cookie().name(), &old);
    assert_eq!(browser.get("/").await.text(), "None ");
}

#[tokio::test]
async fn scenario_an_anonymous_cart_survives_the_login_and_its_token_does_not() {
    // OW-9, OW-10: a fixed token does not ride along.
    let shaky = shaky();
    let browser = shaky.browser(routes());
    browser.post("/a").await;
    let fixed = browser.session_cookie().unwrap();
    browser.post("/alice").await;
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") a=1");
    browser.set_cookie(shaky.sessions.cookie().name(), &fixed);
    assert_eq!(browser.get("/").await.text(), "None ");
}

#[tokio::test]
async fn scenario_clear_or_insert_before_the_first_read_with_an_attackers_token() {
    // OW-9. From extensions, nothing has been loaded when the handler writes.
    let shaky = shaky();
    let unread = |clears: bool| {
        async move |request: axum::extract::Request| -> Outcome<()> {
            let session = Session::of(request.extensions())?;
            if clears {
                session.clear().await?;
            }
            session.insert("a", "1").await
        }
    };
    let routes = routes()
        .route("/clear", post(unread(true)))
        .route("/insert", post(unread(false)));
    let attacker = "A".repeat(43);
    for path in ["/clear", "/insert"] {
        let browser = shaky.browser(routes.clone());
        browser.set_cookie(shaky.sessions.cookie().name(), &attacker);
        assert_eq!(browser.post(path).await.status(), 200);
        let given = browser.session_cookie().unwrap();
        assert_ne!(given, attacker);
        let (given, attacker): (SessionToken, SessionToken) =
            (given.parse().unwrap(), attacker.parse().unwrap());
        assert_ne!(given.id(), attacker.id());
        assert!(shaky.sessions.get(attacker.id()).await.unwrap().is_none());
        assert_eq!(browser.get("/").await.text(), "None a=1");
    }
}

#[tokio::test]
async fn scenario_tokens_that_open_nothing() {
    let shaky = shaky();
    let browser = shaky.browser(routes());
    let alice = shaky.sessions.login("alice").await;
    let mut forged = alice.expose();
    forged.replace_range(30..31, if &forged[30..31] == "A" { "B" } else { "A" });
    let foreign = alice.id().to_string();
    let never_issued = "B".repeat(42) + "A";
    for value in [
        &never_issued,
        &forged,
        &foreign,
        "",
        "../../etc/passwd",
        "*",
        "\u{e9}",
    ] {
        browser.set_cookie(shaky.sessions.cookie().name(), value);
        let answer = browser.get("/").await;
        assert_eq!(
            (answer.status().as_u16(), answer.text()),
            (200, "None "),
            "{value}"
        );
        // It is taken away, so that the client stops sending it.
        assert_eq!(browser.session_cookie(), None, "{value}");
    }
    assert_eq!(rows(&shaky).await, 1);
    browser.present(&alice);
    assert_eq!(browser.get("/").await.text(), "Some(\"alice\") ");
}

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
async fn scenario_the_host_cookie_is_read_back_and_cleared_with_the_same_attributes() {
    // CK-7, CK-8
    let shaky = shaky();
    let browser = shaky.browser(routes());
    let set = browser.post("/a").await;
    let cookie = set.set_cookies()[0].to_owned();
    let token = browser.session_cookie().unwrap();
    assert_eq!(
        cookie,
        format!("__Host-session={token}; HttpOnly; Secure; SameSite=Lax; Path=/")
    );
    assert_eq!(browser.get("/").await.text(), "None a=1");
    let cleared = browser.post("/logout").await;
    let expected = "__Host-session=; HttpOnly; Secure; SameSite=Lax; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(cleared.set_cookies(), [expected]);
    // A look-alike is not ours.
    browser.set_cookie("__host-session", &token);
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

#[test]
fn scenario_log_lines_cannot_be_flooded_by_unknown_ids() {
    let counter = crate::support::LineCounter::default();
    tracing::subscriber::with_default(counter.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let shaky = shaky();
            let browser = shaky.browser(routes());
            for n in 0..500_u32 {
                let value = format!("{n:042}A");
                browser.set_cookie(shaky.sessions.cookie().name(), &value);
                assert_eq!(browser.get("/").await.text(), "None ");
                browser.set_cookie(shaky.sessions.cookie().name(), "malformed");
                assert_eq!(browser.get("/").await.text(), "None ");
            }
        });
    });
    assert_eq!(counter.lines(), 0);
}
