//! `[login] url`: a login form of one's own before two hosts.

use super::{
    browser::Browsers,
    site::{GRACE, Site},
};

const FILES: &str = "/reports/?order=name&q=a%26b";

/// The form signs people in on its own host, and they end at the page on the other host that they asked for.
#[tokio::test]
async fn an_own_form_serves_both_hosts() {
    let (site, browsers) = (Site::caddy_with_own_form().await, Browsers::start().await);
    let browser = browsers.open().await;
    let form = site.url("app1.test", "/mine/login");
    browser.visit(&site.url("app2.test", FILES)).await;
    browser.arrive(&form).await;
    browser.log_in(GRACE.0, "something else").await;
    browser.read("do not fit together").await;
    browser.log_in(GRACE.0, GRACE.1).await;
    browser.arrive(&site.url("app2.test", FILES)).await;
    browser.read("june.txt").await;
    browser
        .visit(&site.url("app1.test", "/_auth/account"))
        .await;
    browser.read("Signed in as grace").await;
    // The logout ends both; the form is asked for again.
    browser.press_and_wait("log out").await;
    browser.visit(&site.url("app2.test", FILES)).await;
    browser.arrive(&form).await;
}
