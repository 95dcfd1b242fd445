//! `[[access]]` rules behind both proxies: who may reach what.

use super::site::{ADA, Site};

const RULES: &str = r#"
[[access]]
path = "/open"
allow = "public"

[[access]]
path = "/admin"
allow = ["somebody-else"]

[[access]]
allow = "signed-in"
"#;

/// What an application that resolves dots, escapes or slashes serves as something else than `/open`.
const DISGUISES: [&str; 8] = [
    "/open/../admin",
    "/open/%2e%2e/admin",
    "/open/.%2E/admin",
    "/open%2f..%2fadmin",
    "/open/..%2fadmin",
    "/open/x/../../admin",
    "/open\\..\\admin",
    "/openly",
];

async fn rules_hold(site: &Site, host: &str) {
    let (ada, stranger) = (site.curl(), site.curl());
    let home = site.url(host, "/");
    let answer = ada.log_in(&site.url(host, "/_auth/login"), ADA.0, ADA.1, &home);
    assert_eq!(answer.status, 303, "{answer:?}");
    let status = |client: &super::curl::Curl, path: &str| client.get(&site.url(host, path)).status;
    assert_eq!(
        (status(&ada, "/open/page"), status(&stranger, "/open/page")),
        (200, 200)
    );
    assert_eq!(
        (status(&ada, "/other"), status(&stranger, "/other")),
        (200, 302)
    );
    let refused = ada.get(&site.url(host, "/admin/x?y"));
    assert_eq!(
        (refused.status, refused.header("Location")),
        (403, ""),
        "never a redirect"
    );
    assert_eq!(status(&stranger, "/admin/x?y"), 302);

    let forged = [
        "-H",
        "X-Auth-Subject: mallory",
        "-H",
        "X_Auth_Subject: mallory",
    ];
    let page = site.url(host, "/open/page");
    let open = stranger.run(&[&forged[..], &[page.as_str()]].concat());
    assert!(
        open.status == 200 && !open.body.contains("mallory"),
        "{}",
        open.body
    );

    for path in DISGUISES {
        let url = site.url(host, path);
        let answer = stranger.run(&["--path-as-is", "-H", "Accept: text/html", &url]);
        assert_ne!(answer.status, 200, "{path} is open to strangers");
    }
    for path in [
        "/admin/",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/x/../admin",
        "/admin%2fx",
    ] {
        let url = site.url(host, path);
        let answer = ada.run(&["--path-as-is", "-H", "Accept: text/html", &url]);
        assert_ne!(answer.status, 200, "{path} is open to whoever is signed in");
    }
}

#[tokio::test]
async fn access_rules_hold_behind_nginx() {
    rules_hold(&Site::nginx_with(RULES).await, "app.test").await;
}

#[tokio::test]
async fn access_rules_hold_behind_caddy() {
    rules_hold(&Site::caddy_with(RULES).await, "app1.test").await;
}
