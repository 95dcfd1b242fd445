//! A person at a server that speaks https itself, without any proxy.

use super::browser::Browsers;
use crate::{
    people::{ADA, add_user},
    tls,
};

/// CK-8: a real browser takes the cookie that needs https, and sends it back (over HTTP/2, which it prefers).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ck_8_chromium_logs_in_and_out_over_our_own_https() {
    let (server, _) = tls::start("[argon2]\nmemory = \"7MiB\"\niterations = 1\n").await;
    add_user(&server, ADA, &[]);
    let browsers = Browsers::start().await;
    let browser = browsers.open().await;
    browser.visit(&server.url("/login")).await;
    browser.log_in(ADA.0, ADA.1).await;
    browser.read("Signed in as ada").await;
    let cookie = browser.cookie("__Host-session", "127.0.0.1").await;
    let cookie = cookie.expect("the browser kept it");
    assert!(cookie.secure && cookie.http_only && cookie.session);
    let spoken = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    assert_eq!(browser.script(spoken).await, "h2");
    browser.press_and_wait("log out").await;
    browser.visit(&server.url("/account")).await;
    browser.arrive(&server.url("/login")).await;
    assert!(
        browser
            .cookie("__Host-session", "127.0.0.1")
            .await
            .is_none()
    );
}
