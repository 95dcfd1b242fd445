//! The main job behind nginx: `auth_request`, one host, one application.

use super::{
    browser::Browsers,
    site::{ADA, HOST_COOKIE, MALLORY, Site},
    steps::{DEEP, app_knows, is_sent_to_login, logs_in, logs_out, logs_out_all_others},
};

const APP: &str = "app.test";

/// First visit of a deep page, a wrong and the right password, back on that page, reload, a second tab, the server
/// killed and started again, logout. CK-8, CK-10, OW-6.
#[tokio::test]
async fn a_person_logs_in_once_and_stays_logged_in_until_the_logout() {
    let (mut site, browsers) = (Site::nginx().await, Browsers::start().await);
    let browser = browsers.open().await;
    is_sent_to_login(&site, &browser, (APP, DEEP), APP).await;
    browser.screenshot("login").await;
    browser.log_in(ADA.0, "not her password").await;
    browser.read("password").await;
    let alert = "return document.querySelector('[role=alert]')?.innerText ?? ''";
    assert_ne!(browser.script(alert).await, "", "{}", browser.text().await);
    browser.screenshot("login-refused").await;
    logs_in(&site, &browser, (APP, DEEP)).await;
    app_knows(&browser, "ada").await;
    let text = browser.text().await;
    let query = DEEP.split_once('?').unwrap().1;
    assert!(
        text.contains(&format!("QUERY_STRING = '{query}'")),
        "{text}"
    );
    assert!(
        !text.contains(HOST_COOKIE),
        "the application got the token: {text}"
    );

    let kept = browser.cookie(HOST_COOKIE, APP).await.unwrap();
    assert_eq!((kept.path.as_str(), kept.same_site.as_str()), ("/", "Lax"));
    assert!(kept.secure && kept.http_only && kept.session, "{kept:?}");
    let script = browser.script("return document.cookie").await;
    assert_eq!(script, "", "HttpOnly keeps it from scripts");

    browser.reload().await;
    app_knows(&browser, "ada").await;
    browser.new_tab().await;
    browser.visit(&site.url(APP, "/second/tab")).await;
    app_knows(&browser, "ada").await;

    site.kill9();
    site.restart().await;
    browser.reload().await;
    browser.arrive(&site.url(APP, "/second/tab")).await;
    app_knows(&browser, "ada").await;
    let still = browser.cookie(HOST_COOKIE, APP).await.unwrap();
    assert_eq!(still.value, kept.value);

    browser.visit(&site.url(APP, "/_auth/account")).await;
    browser.screenshot("account").await;
    logs_out(&site, &browser, APP).await;
    browser.screenshot("logged-out").await;
    assert!(
        browser.cookie(HOST_COOKIE, APP).await.is_none(),
        "the cookie is cleared"
    );
    assert!(
        site.opens(&kept.value).await.is_none(),
        "the session is over on the server too"
    );
    browser.back().await;
    browser.reload().await;
    browser.arrive(&site.url(APP, "/_auth/login")).await;
    is_sent_to_login(&site, &browser, (APP, "/second/tab"), APP).await;
}

/// Another browser ends all other sessions; the first one is at the login with its next request.
#[tokio::test]
async fn log_out_everywhere_from_another_browser_holds_at_the_next_request() {
    let (site, browsers) = (Site::nginx().await, Browsers::start().await);
    let (first, second) = (browsers.open().await, browsers.open().await);
    for browser in [&first, &second] {
        is_sent_to_login(&site, browser, (APP, "/"), APP).await;
        logs_in(&site, browser, (APP, "/")).await;
    }
    second.visit(&site.url(APP, "/_auth/account")).await;
    second.screenshot("account-two-sessions").await;
    logs_out_all_others(&site, &second, APP).await;
    first.reload().await;
    first.arrive(&site.url(APP, "/_auth/login")).await;
    second.visit(&site.url(APP, DEEP)).await;
    second.arrive(&site.url(APP, DEEP)).await;
    app_knows(&second, "ada").await;
}

/// OW-9, OW-10, CK-18: whatever an attacker plants in the jar before the login opens nothing of hers afterwards.
#[tokio::test]
async fn ow_9_a_planted_token_never_rides_along_and_ow_10_login_changes_the_token() {
    let (site, browsers) = (Site::nginx().await, Browsers::start().await);
    let anonymous = site.api("/v1/sessions", serde_json::json!({})).await;
    let own = serde_json::json!({ "subject": MALLORY.0 });
    let own = site.api("/v1/sessions", own).await;
    let token = |made: &serde_json::Value| made["session_token"].as_str().unwrap().to_owned();
    let planted = [
        ("x".repeat(43), None),
        (token(&anonymous), None),
        (token(&own), Some("mallory")),
    ];
    let browser = browsers.open().await;
    for (planted, whose) in planted {
        browser
            .plant(&site.url(APP, "/"), HOST_COOKIE, &planted)
            .await;
        browser.visit(&site.url(APP, DEEP)).await;
        if let Some(whose) = whose {
            app_knows(&browser, whose).await;
            browser.visit(&site.url(APP, "/_auth/login")).await;
        }
        browser.arrive(&site.url(APP, "/_auth/login")).await;
        browser.log_in(ADA.0, ADA.1).await;
        let after = if whose.is_some() {
            "/_auth/account"
        } else {
            DEEP
        };
        browser.arrive(&site.url(APP, after)).await;
        browser.visit(&site.url(APP, DEEP)).await;
        app_knows(&browser, "ada").await;
        let now = browser.cookie(HOST_COOKIE, APP).await.unwrap().value;
        assert_ne!(now, planted);
        assert_eq!(site.opens(&now).await.unwrap()["subject"], "ada");
        let opened = site.opens(&planted).await;
        assert!(
            opened.is_none_or(|found| found["subject"] != "ada"),
            "the planted token rides along"
        );
        logs_out(&site, &browser, APP).await;
    }
}

/// A whole application behind the login: the deep page, its styles, a form that is sent, and its own cookie beside ours.
#[tokio::test]
async fn an_application_with_a_login_of_its_own_works_unchanged() {
    let (site, browsers) = (Site::nginx_before_fossil().await, Browsers::start().await);
    let browser = browsers.open().await;
    let timeline = "/timeline?n=20&y=ci";
    is_sent_to_login(&site, &browser, (APP, timeline), APP).await;
    logs_in(&site, &browser, (APP, timeline)).await;
    browser.read("initial empty check-in").await;
    let styles = "return [...document.styleSheets].every(sheet => sheet.cssRules.length > 0)";
    assert_eq!(browser.script(styles).await, true);

    browser.visit(&site.url(APP, "/login")).await;
    browser.fill("u", ADA.0).await;
    browser.fill("p", ADA.1).await;
    browser.press("login").await;
    browser.read("Admin").await;
    browser.visit(&site.url(APP, timeline)).await;
    browser.read("Admin").await;
    logs_out(&site, &browser, APP).await;
    is_sent_to_login(&site, &browser, (APP, timeline), APP).await;
    assert!(
        browser
            .cookies()
            .await
            .iter()
            .any(|kept| kept.name.starts_with("fossil-"))
    );
}

/// A server that is down is no logout: no redirect to a login, nothing opened, and all is well when it is back.
#[tokio::test]
async fn a_server_that_is_down_is_a_5xx_and_never_a_logout() {
    let mut site = Site::nginx().await;
    let client = site.curl();
    let back = site.url(APP, "/");
    assert_eq!(
        client
            .log_in(&site.url(APP, "/_auth/login"), ADA.0, ADA.1, &back)
            .status,
        303
    );
    assert_eq!(client.get(&back).status, 200);
    site.kill9();
    for client in [&client, &site.curl()] {
        let answer = client.get(&back);
        assert_eq!((answer.status, answer.header("Location")), (503, ""));
        assert!(!answer.body.contains("HTTP_"), "the application was asked");
    }
    site.restart().await;
    assert_eq!(client.get(&back).status, 200);
}
