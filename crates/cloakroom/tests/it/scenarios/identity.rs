//! Whose session it is, by which token.

use super::*;

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
