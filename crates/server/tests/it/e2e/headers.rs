//! What clients send under the names of identity headers reaches no application, and what proxies ask is not for them.

use super::{
    curl::Curl,
    site::{ADA, Site},
    steps::DEEP,
};

/// The names of an identity header that a server which reads `-` and `_` alike takes for it.
fn forged() -> Vec<String> {
    let names = ["Subject", "Session-Id", "Session_Id", "Token"];
    let fronts = [
        "X-Auth-", "X_Auth_", "X-Auth_", "X_Auth-", "x-auth-", "x_auth_",
    ];
    let all = fronts.iter().flat_map(|front| {
        names
            .iter()
            .map(move |name| format!("{front}{name}: mallory"))
    });
    all.collect()
}

fn get_with_forged_headers(client: &Curl, url: &str) -> String {
    let forged = forged();
    let mut args: Vec<&str> = forged
        .iter()
        .flat_map(|header| ["-H", header.as_str()])
        .collect();
    args.extend(["-H", "Accept: text/html", url]);
    let answer = client.run(&args);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn identity_headers_are_ours_alone(site: &Site, host: &str) {
    let client = site.curl();
    let page = site.url(host, DEEP);
    let answer = client.log_in(&site.url(host, "/_auth/login"), ADA.0, ADA.1, &page);
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, page.as_str())
    );
    let body = get_with_forged_headers(&client, &page);
    assert!(body.contains("HTTP_X_AUTH_SUBJECT = 'ada'"), "{body}");
    assert!(!body.contains("mallory"), "{body}");
    assert!(!body.contains("__Host-session"), "{body}");
    for endpoint in [
        "auth-request",
        "forward-auth",
        "%66orward-auth",
        "auth-reques%74",
        "x/../forward-auth",
    ] {
        let url = site.url(host, &format!("/_auth/{endpoint}"));
        let answer = client.run(&["--path-as-is", &url]);
        assert_eq!(
            (answer.status, answer.header("X-Auth-Subject")),
            (404, ""),
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn nginx_passes_no_identity_header_of_the_client() {
    let site = Site::nginx().await;
    identity_headers_are_ours_alone(&site, "app.test").await;
}

#[tokio::test]
async fn caddy_passes_no_identity_header_of_the_client() {
    let site = Site::caddy().await;
    identity_headers_are_ours_alone(&site, "app1.test").await;
}

/// Scripts get a plain 401 in place of a page that they cannot read; pages go to the login.
#[tokio::test]
async fn only_pages_are_sent_to_the_login() {
    let (nginx, caddy) = (Site::nginx().await, Site::caddy().await);
    for (site, host) in [(&nginx, "app.test"), (&caddy, "app1.test")] {
        let client = site.curl();
        let script = client.run(&["-H", "Accept: application/json", &site.url(host, DEEP)]);
        assert_eq!(
            (script.status, script.header("Location")),
            (401, ""),
            "{host}"
        );
        let page = client.get(&site.url(host, DEEP));
        assert_eq!(page.status, 302, "{host}");
        let login = site.url(host, "/_auth/login?return_to=");
        assert!(
            page.header("Location").starts_with(&login),
            "{}",
            page.header("Location")
        );
    }
}
