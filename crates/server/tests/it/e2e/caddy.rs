//! Two hosts behind Caddy (`forward_auth`), each with a cookie of its own: a login for one serves the other through a
//! single-use code.

use super::{
    browser::Browsers,
    curl::{Answer, Curl},
    site::{ADA, HOST_COOKIE, Site},
    steps::{DEEP, app_knows, is_sent_to_login, logs_in, logs_out, logs_out_all_others},
};
use std::collections::BTreeMap;

const FIRST: &str = "app1.test";
const SECOND: &str = "app2.test";
const FILES: &str = "/reports/?order=name&q=a%26b";

/// The login at the second host leads through the first and back; then the first is open too, and a logout from
/// another browser ends both.
#[tokio::test]
async fn one_login_serves_two_hosts_and_one_logout_ends_both() {
    let (mut site, browsers) = (Site::caddy().await, Browsers::start().await);
    let (browser, other) = (browsers.open().await, browsers.open().await);
    is_sent_to_login(&site, &browser, (SECOND, FILES), FIRST).await;
    logs_in(&site, &browser, (SECOND, FILES)).await;
    browser.read("june.txt").await;
    browser.visit(&site.url(FIRST, DEEP)).await;
    browser.arrive(&site.url(FIRST, DEEP)).await;
    app_knows(&browser, "ada").await;
    for host in [FIRST, SECOND] {
        let kept = browser.cookie(HOST_COOKIE, host).await.unwrap();
        assert_eq!(
            (kept.path.as_str(), kept.same_site.as_str()),
            ("/", "Lax"),
            "{host}"
        );
        assert!(kept.secure && kept.http_only && kept.session, "{kept:?}");
    }
    site.kill9();
    site.restart().await;
    browser.visit(&site.url(SECOND, FILES)).await;
    browser.read("june.txt").await;

    is_sent_to_login(&site, &other, (FIRST, "/"), FIRST).await;
    logs_in(&site, &other, (FIRST, "/")).await;
    // Without a password at the second host.
    other.visit(&site.url(SECOND, FILES)).await;
    other.arrive(&site.url(SECOND, FILES)).await;
    other.read("june.txt").await;
    logs_out_all_others(&site, &other, FIRST).await;
    for (host, page) in [(SECOND, FILES), (FIRST, DEEP)] {
        is_sent_to_login(&site, &browser, (host, page), FIRST).await;
    }
    for (host, page) in [(SECOND, FILES), (FIRST, DEEP)] {
        other.visit(&site.url(host, page)).await;
        other.arrive(&site.url(host, page)).await;
    }
}

/// A person has one login, whatever it takes: the logout at either host ends it at both.
#[tokio::test]
async fn a_logout_at_one_host_is_a_logout_at_the_other() {
    let (site, browsers) = (Site::caddy().await, Browsers::start().await);
    let browser = browsers.open().await;
    for (leaves, stays) in [
        ((FIRST, DEEP), (SECOND, FILES)),
        ((SECOND, FILES), (FIRST, DEEP)),
    ] {
        is_sent_to_login(&site, &browser, stays, FIRST).await;
        logs_in(&site, &browser, stays).await;
        browser.visit(&site.url(leaves.0, leaves.1)).await;
        browser.arrive(&site.url(leaves.0, leaves.1)).await;
        logs_out(&site, &browser, leaves.0).await;
        for (host, page) in [leaves, stays] {
            is_sent_to_login(&site, &browser, (host, page), FIRST).await;
        }
    }
}

fn logged_in_at_first(site: &Site) -> Curl {
    let client = site.curl();
    let page = site.url(FIRST, "/");
    let answer = client.log_in(&site.url(FIRST, "/_auth/login"), ADA.0, ADA.1, &page);
    assert_eq!(answer.status, 303, "{answer:?}");
    client
}

/// The way to the second host is short, and its code opens nothing a second time, on another host or in another browser.
#[tokio::test]
async fn the_code_between_hosts_is_used_once_and_there_is_no_loop() {
    let site = Site::caddy().await;
    let start = site.url(SECOND, FILES);
    let client = logged_in_at_first(&site);
    let arrived = client.follow(&start);
    assert_eq!(
        (arrived.status, arrived.url.as_str()),
        (200, start.as_str())
    );
    assert!(arrived.redirects <= 5, "{} redirects", arrived.redirects);
    assert!(arrived.body.contains("june.txt"), "{arrived:?}");

    let client = logged_in_at_first(&site);
    let once = code_of(&site, &client);
    assert!(
        client
            .get(&once)
            .header("Set-Cookie")
            .starts_with(HOST_COOKIE)
    );
    opens_nothing(&client, &once);
    let elsewhere = code_of(&site, &client);
    opens_nothing(&client, &elsewhere.replace(SECOND, FIRST));
    // Login CSRF: a link with somebody's code, followed by somebody else.
    opens_nothing(&site.curl(), &code_of(&site, &client));
}

/// Goes the way to the second host up to the address with the code.
fn code_of(site: &Site, client: &Curl) -> String {
    let page: String =
        url::form_urlencoded::byte_serialize(site.url(SECOND, FILES).as_bytes()).collect();
    let mut url = site.url(FIRST, &format!("/_auth/login?return_to={page}"));
    for _ in 0..4 {
        client.get(&url).header("Location").clone_into(&mut url);
        if url.starts_with(&site.url(SECOND, "/_auth/callback?code=")) {
            return url;
        }
    }
    panic!("no code, but {url}")
}

fn opens_nothing(client: &Curl, callback: &str) {
    let answer = client.get(callback);
    let has_cookie = !answer.header("Set-Cookie").is_empty();
    assert!(
        matches!(answer.status, 400 | 409) && !has_cookie,
        "{answer:?}"
    );
}

/// A browser that takes no cookie at the second host ends at a page, not in a circle.
#[tokio::test]
async fn a_browser_that_refuses_the_cookie_of_one_host_runs_in_no_circle() {
    let site = Site::caddy().await;
    let client = logged_in_at_first(&site);
    let mut visits: BTreeMap<String, u32> = BTreeMap::new();
    let mut url = site.url(SECOND, FILES);
    for _ in 0..12 {
        *visits.entry(url.clone()).or_default() += 1;
        let answer = if url.starts_with(&site.url(SECOND, "/")) {
            site.curl().get(&url)
        } else {
            client.get(&url)
        };
        if !matches!(answer.status, 301..=399) {
            return;
        }
        answer.header("Location").clone_into(&mut url);
    }
    panic!("a circle: {visits:#?}");
}

/// A login leads nowhere but to the hosts that are configured, however the address is dressed up.
#[tokio::test]
async fn there_is_no_open_redirect() {
    let site = Site::caddy().await;
    let allowed = [site.url(FIRST, "/"), site.url(SECOND, "/")];
    let login = site.url(FIRST, "/_auth/login");
    let pages = [
        login.clone(),
        site.url(FIRST, "/_auth/continue"),
        site.url(SECOND, "/_auth/callback"),
    ];
    let known = logged_in_at_first(&site);
    for target in hostile_targets(&site) {
        let query = format!("return_to={target}");
        let stranger = site.curl();
        for (client, page) in pages
            .iter()
            .flat_map(|page| [(&known, page), (&stranger, page)])
        {
            let accept = "Accept: text/html";
            let asked = ["-G", "--data-urlencode", &query, "-H", accept, page];
            stays_with(&allowed, &target, &client.run(&asked));
        }
        let sent = site.curl().log_in(&login, ADA.0, ADA.1, &target);
        stays_with(&allowed, &target, &sent);
    }
}

fn hostile_targets(site: &Site) -> Vec<String> {
    let port = site.url(FIRST, "").rsplit(':').next().unwrap().to_owned();
    let fixed = [
        "https://evil.test/",
        "//evil.test/",
        "///evil.test/",
        "/\\evil.test/",
        "\\\\evil.test/",
        "\\/evil.test",
        "https:evil.test",
        "https:/evil.test",
        "https:\\\\evil.test/",
        "http://app1.test/",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "/\t/evil.test/",
        "/\n/evil.test/",
        "\t//evil.test",
        " //evil.test",
        "https://app1.test.evil.test/",
        "https://evil.test#https://app1.test/",
        "/%0d%0aLocation:https://evil.test/",
        "/..//evil.test/",
        "/.//evil.test",
        "blob:https://app1.test/x",
        "https://app1.test\u{ff0e}evil.test/",
    ];
    let with_port = [
        format!("https://app1.test:{port}@evil.test/"),
        format!("https://app1.test:{port}\\@evil.test/"),
        format!("https://evil.test\\@app1.test:{port}/"),
        format!("https://me:secret@evil.test:{port}/"),
        format!("https://evil.test:{port}/"),
        format!("https://evil.test/?https://app1.test:{port}/"),
        format!("http://app1.test:{port}/"),
    ];
    fixed
        .map(str::to_owned)
        .into_iter()
        .chain(with_port)
        .collect()
}

/// Whatever the answer is, a browser stays with our hosts: judged as browsers read addresses (WHATWG URL).
fn stays_with(allowed: &[String], target: &str, answer: &Answer) {
    assert!(answer.status < 500, "{target:?}: {answer:?}");
    assert!(
        answer.headers("Location").count() <= 1,
        "{target:?}: {answer:?}"
    );
    let base = url::Url::parse(&answer.url).unwrap();
    for location in answer.headers("Location") {
        let leads = base.join(location).unwrap();
        let fine = allowed.iter().any(|home| leads.as_str().starts_with(home));
        assert!(
            fine && leads.username().is_empty(),
            "{target:?} leads to {location:?}"
        );
    }
    assert!(
        !answer.header("Refresh").contains("evil"),
        "{target:?}: {answer:?}"
    );
}
