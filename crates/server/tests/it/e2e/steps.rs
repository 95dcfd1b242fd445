//! What people do, the same behind every proxy.

use super::{
    browser::Browser,
    site::{ADA, Site},
};

/// A page below others, with a query that must come back as it was.
pub(super) const DEEP: &str = "/reports/2026?month=6&sort=name%20down&q=a%26b%2Bc";

/// Asks for a page and arrives at the login of that host.
pub(super) async fn is_sent_to_login(site: &Site, browser: &Browser, from: (&str, &str), to: &str) {
    browser.visit(&site.url(from.0, from.1)).await;
    browser.arrive(&site.url(to, "/_auth/login")).await;
}

/// Logs in where the login page is open, and is back at the page first asked for.
pub(super) async fn logs_in(site: &Site, browser: &Browser, back_at: (&str, &str)) {
    browser.log_in(ADA.0, ADA.1).await;
    browser.arrive(&site.url(back_at.0, back_at.1)).await;
}

/// The application knows who that is: the reference server shows the headers that reached it.
pub(super) async fn app_knows(browser: &Browser, subject: &str) {
    browser
        .read(&format!("HTTP_X_AUTH_SUBJECT = '{subject}'"))
        .await;
}

/// Ends all other sessions of the person, as the account page offers it.
pub(super) async fn logs_out_all_others(site: &Site, browser: &Browser, host: &str) {
    browser.visit(&site.url(host, "/_auth/account")).await;
    browser.press_and_wait("all other").await;
    browser.arrive(&site.url(host, "/_auth/account")).await;
}

/// Logs out, as the account page offers it.
pub(super) async fn logs_out(site: &Site, browser: &Browser, host: &str) {
    browser.visit(&site.url(host, "/_auth/account")).await;
    browser.press_and_wait("log out").await;
}
