//! The account page in a real browser.

use super::{
    browser::Browsers,
    site::{ADA, Site},
    steps::{is_sent_to_login, logs_in},
};

const HOST: &str = "app.test";
const NEW: &str = "another horse, another staple";

/// A person changes the password: this browser goes on, the other one is asked for it, and the new one is the one.
#[tokio::test]
async fn a_person_changes_the_password() {
    let (site, browsers) = (Site::nginx().await, Browsers::start().await);
    let (browser, other) = (browsers.open().await, browsers.open().await);
    for browser in [&browser, &other] {
        is_sent_to_login(&site, browser, (HOST, "/"), HOST).await;
        logs_in(&site, browser, (HOST, "/")).await;
    }
    browser.visit(&site.url(HOST, "/_auth/account")).await;
    browser.screenshot("account").await;
    browser
        .visit(&site.url(HOST, "/_auth/account/password"))
        .await;
    browser.screenshot("password").await;
    for (current, new, again, told) in [
        ("not hers", NEW, NEW, "That is not your password"),
        (ADA.1, NEW, "something else", "not the same"),
    ] {
        browser.fill("current", current).await;
        browser.fill("new", new).await;
        browser.fill("again", again).await;
        browser.press_and_wait("change the password").await;
        browser.read(told).await;
    }
    browser.screenshot("password-wrong").await;
    browser.fill("current", ADA.1).await;
    browser.fill("new", NEW).await;
    browser.fill("again", NEW).await;
    browser.press_and_wait("change the password").await;
    browser.read("Your password is changed").await;
    browser.screenshot("account-changed").await;

    is_sent_to_login(&site, &other, (HOST, "/"), HOST).await;
    other.log_in(ADA.0, ADA.1).await;
    other.read("do not fit together").await;
    other.log_in(ADA.0, NEW).await;
    other.arrive(&site.url(HOST, "/")).await;
}

/// AV-7.5.2: after a while, other sessions end only with the password.
#[tokio::test]
async fn av_7_5_2_the_password_is_asked_for_before_others_are_signed_out() {
    let always = "[login]\nreauthenticate_after = \"0s\"\n";
    let (site, browsers) = (Site::nginx_with(always).await, Browsers::start().await);
    let (browser, other) = (browsers.open().await, browsers.open().await);
    for browser in [&browser, &other] {
        is_sent_to_login(&site, browser, (HOST, "/"), HOST).await;
        logs_in(&site, browser, (HOST, "/")).await;
    }
    browser.visit(&site.url(HOST, "/_auth/account")).await;
    browser.press_and_wait("all other").await;
    browser.read("Your password, please").await;
    browser.screenshot("confirm").await;
    other.visit(&site.url(HOST, "/")).await;
    other.arrive(&site.url(HOST, "/")).await;
    browser.fill("password", ADA.1).await;
    browser.press_and_wait("all other").await;
    browser.read("Signed out.").await;
    is_sent_to_login(&site, &other, (HOST, "/"), HOST).await;
}
