//! Two hosts behind Caddy that share one cookie: `[cookie] domain`.

use super::{
    browser::Browsers,
    site::{ADA, SHARED_COOKIE, Site},
    steps::{DEEP, app_knows, is_sent_to_login, logs_in, logs_out},
};

const FIRST: &str = "app1.site.test";
const SECOND: &str = "app2.site.test";

/// One cookie for both hosts; the logout at one is the logout at the other.
#[tokio::test]
async fn a_shared_cookie_serves_both_hosts_until_the_logout() {
    let site = Site::caddy_with_domain().await;
    let browsers = Browsers::start().await;
    let browser = browsers.open().await;
    is_sent_to_login(&site, &browser, (SECOND, "/reports/?order=name"), FIRST).await;
    logs_in(&site, &browser, (SECOND, "/reports/?order=name")).await;
    browser.read("june.txt").await;
    browser.visit(&site.url(FIRST, DEEP)).await;
    browser.arrive(&site.url(FIRST, DEEP)).await;
    app_knows(&browser, "ada").await;
    assert!(
        !browser.text().await.contains(SHARED_COOKIE),
        "the application got the token"
    );
    let kept = browser.cookie(SHARED_COOKIE, ".site.test").await.unwrap();
    assert!(kept.secure && kept.http_only && kept.session, "{kept:?}");
    assert_eq!((kept.path.as_str(), kept.same_site.as_str()), ("/", "Lax"));
    logs_out(&site, &browser, FIRST).await;
    assert!(
        browser.cookie(SHARED_COOKIE, ".site.test").await.is_none(),
        "the cookie is cleared"
    );
    assert!(site.opens(&kept.value).await.is_none());
    is_sent_to_login(&site, &browser, (SECOND, "/reports/"), FIRST).await;
}

/// With a shared cookie there is nothing to hand over: the first request after the login is the page.
#[tokio::test]
async fn a_shared_cookie_needs_no_redirects() {
    let site = Site::caddy_with_domain().await;
    let client = site.curl();
    let page = site.url(SECOND, "/reports/");
    let login = site.url(FIRST, "/_auth/login");
    let answer = client.log_in(&login, ADA.0, ADA.1, &page);
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, page.as_str())
    );
    let arrived = client.follow(&page);
    assert_eq!((arrived.status, arrived.redirects), (200, 0), "{arrived:?}");
}
