//! One login for two hosts with cookies of their own: the way there and back, step by step.

use super::people::{ADA, add_user, location, login, server_with, set_cookies};
use super::support::Server;
use reqwest::{Response, header::COOKIE};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HERE: &str = "app.test";
const THERE: &str = "other.test";
const PAGE: &str = "https://other.test/page?x=1";
const SITE: &str = "[server]\npublic_url = \"https://app.test\"\n[bootstrap]\napi_key_file = \"first.key\"\n\
    [login]\nallowed_origins = [\"https://other.test\"]\n";

/// A browser: cookies by host, and requests as a proxy hands them on.
struct Browser<'a> {
    server: &'a Server,
    kept: BTreeMap<(String, String), String>,
    /// Host and cookie that it does not keep.
    refuses: Option<(&'static str, &'static str)>,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            server,
            kept: BTreeMap::new(),
            refuses: None,
        }
    }

    /// One that is signed in on the public host.
    async fn signed_in(server: &'a Server, who: (&str, &str)) -> Self {
        let mut browser = Self::new(server);
        let response = login(server, who, "").send().await.unwrap();
        browser.keep(HERE, &response);
        browser
    }

    fn keep(&mut self, host: &str, response: &Response) {
        for cookie in set_cookies(response) {
            assert!(cookie.starts_with("__Host-"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if self.refuses != Some((host, name)) {
                self.kept
                    .insert((host.to_owned(), name.to_owned()), value.to_owned());
            }
        }
    }

    fn cookie(&self, host: &str, name: &str) -> Option<String> {
        let key = (host.to_owned(), name.to_owned());
        self.kept.get(&key).cloned()
    }

    fn cookies(&self, host: &str) -> String {
        let own = self.kept.iter().filter(|((other, _), _)| other == host);
        let pairs: Vec<_> = own.map(|((_, name), v)| format!("{name}={v}")).collect();
        pairs.join("; ")
    }

    /// One request of a page of ours, as a link leads there.
    async fn get(&mut self, url: &str) -> Response {
        let parsed = url::Url::parse(url).unwrap();
        let host = parsed.host_str().unwrap();
        let path = &parsed[url::Position::BeforePath..];
        let request = self.server.client().get(self.server.url(path));
        let request = request
            .header("X-Forwarded-Host", host)
            .header(COOKIE, self.cookies(host));
        let response = request.send().await.unwrap();
        self.keep(host, &response);
        response
    }

    /// What the proxy's question about a page is answered.
    async fn asks_for(&self, host: &str) -> u16 {
        let request = self.server.client().get(self.server.url("/auth-request"));
        let request = request
            .header("X-Original-URL", format!("https://{host}/page"))
            .header(COOKIE, self.cookies(host));
        request.send().await.unwrap().status().as_u16()
    }

    /// Follows redirects until they lead to a page that is not ours, or end.
    async fn follow(&mut self, url: &str) -> (String, Response) {
        let mut url = url.to_owned();
        for _ in 0..12 {
            let response = self.get(&url).await;
            let next = location(&response).to_owned();
            if next.is_empty() || !is_ours(&next) {
                return (next, response);
            }
            url = next;
        }
        panic!("a circle, now at {url}")
    }

    /// The address with the code, not yet redeemed.
    async fn code(&mut self) -> String {
        let mut url = to_login(PAGE);
        while !url.contains("code=") {
            url = location(&self.get(&url).await).to_owned();
            assert!(is_ours(&url), "{url}");
        }
        url
    }
}

fn is_ours(url: &str) -> bool {
    let path = url::Url::parse(url).unwrap().path().to_owned();
    ["/login", "/continue", "/callback"].contains(&path.as_str())
}

fn to_login(page: &str) -> String {
    let page: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
    format!("https://app.test/login?return_to={page}")
}

async fn api(server: &Server, path: &str, body: Value) -> Value {
    let key = std::fs::read_to_string(server.setup().path().join("first.key")).unwrap();
    let request = server
        .client()
        .post(server.url(path))
        .bearer_auth(key.trim());
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

async fn verified(server: &Server, token: &str) -> Value {
    api(
        server,
        "/v1/sessions/verify",
        json!({ "session_token": token }),
    )
    .await
}

/// A login carried over to another host opens that host alone, and ends with the login that it came from.
#[tokio::test]
async fn a_carried_over_session_is_for_its_host_and_ends_with_its_login() {
    let server = server_with(SITE).await;
    let mut ada = Browser::signed_in(&server, ADA).await;
    let (arrived, _) = ada.follow(&to_login(PAGE)).await;
    assert_eq!(arrived, PAGE);
    assert_eq!(
        [ada.asks_for(HERE).await, ada.asks_for(THERE).await],
        [200, 200]
    );
    let session = ada.cookie(THERE, "__Host-session").unwrap();
    let mut thief = Browser::new(&server);
    let stolen = ("__Host-session".to_owned(), session);
    thief.kept.insert((HERE.to_owned(), stolen.0), stolen.1);
    assert_eq!(thief.asks_for(HERE).await, 401);
    let account = thief.get("https://app.test/account").await;
    assert_eq!(account.status(), 303, "its account page is not shown there");
    let out = server.client().post(server.url("/logout"));
    let out = out.header(COOKIE, ada.cookies(HERE));
    out.send().await.unwrap();
    assert_eq!(ada.asks_for(THERE).await, 401);
}

/// The secret of the browser is the host's alone, short-lived and out of scripts' reach (CK-8, CK-10).
#[tokio::test]
async fn ck_8_the_browsers_secret_is_kept_by_its_host_alone() {
    let server = server_with(SITE).await;
    let mut ada = Browser::signed_in(&server, ADA).await;
    let begin = location(&ada.get(&to_login(PAGE)).await).to_owned();
    assert!(begin.starts_with("https://other.test/callback?return_to="));
    let response = ada.get(&begin).await;
    let set = set_cookies(&response);
    assert_eq!(set.len(), 1, "{set:?}");
    let attributes: Vec<&str> = set[0].split("; ").skip(1).collect();
    let expected = [
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=300",
    ];
    assert_eq!(attributes, expected);
    let onward = location(&response);
    let secret = ada.cookie(THERE, "__Host-arrival").unwrap();
    assert!(onward.starts_with("https://app.test/continue?return_to="));
    assert!(!onward.contains(&secret), "only its hash is told");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

/// Login CSRF: a link with the attacker's own code signs nobody in, whether or not the victim's browser has a secret of
/// its own, and the code is spent by the attempt.
#[tokio::test]
async fn a_code_opens_nothing_in_a_browser_that_did_not_ask_for_it() {
    let server = server_with(SITE).await;
    let mallory = ("mallory", "mallory's own password 1");
    add_user(&server, mallory, &[]);
    let mut attacker = Browser::signed_in(&server, mallory).await;
    let fresh = Browser::new(&server);
    let mut asking = Browser::signed_in(&server, ADA).await;
    asking.code().await;
    for mut victim in [fresh, asking] {
        let link = attacker.code().await;
        let response = victim.get(&link).await;
        assert_eq!(response.status(), 409);
        assert!(set_cookies(&response).is_empty());
        assert!(response.text().await.unwrap().contains("other.test"));
        assert_eq!(victim.asks_for(THERE).await, 401);
        assert_eq!(attacker.get(&link).await.status(), 400, "it was spent");
    }
    // The same person finds the way by himself.
    assert_eq!(attacker.follow(&to_login(PAGE)).await.0, PAGE);
    assert_eq!(attacker.asks_for(THERE).await, 200);
}

/// Of two tabs that come at once, neither spoils the other's way.
#[tokio::test]
async fn tabs_that_come_at_once_all_arrive() {
    let server = server_with(SITE).await;
    let mut ada = Browser::signed_in(&server, ADA).await;
    let (one, two) = (ada.code().await, ada.code().await);
    for link in [one, two] {
        let response = ada.get(&link).await;
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (303, PAGE)
        );
    }
    assert_eq!(ada.asks_for(THERE).await, 200);
}

/// A browser that keeps not all cookies of the hosts ends at a page that says so.
#[tokio::test]
async fn a_browser_without_cookies_ends_at_a_page() {
    let server = server_with(SITE).await;
    for refused in ["__Host-arrival", "__Host-session"] {
        let mut ada = Browser::signed_in(&server, ADA).await;
        ada.refuses = Some((THERE, refused));
        let mut rounds = 0;
        let page = loop {
            let (arrived, response) = ada.follow(&to_login(PAGE)).await;
            if arrived.is_empty() {
                break response;
            }
            // Its proxy finds no session and sends it to the login once more.
            assert_eq!(ada.asks_for(THERE).await, 401);
            rounds += 1;
            assert!(rounds < 10, "a circle without {refused}");
        };
        assert_eq!(page.status(), 409);
        let text = page.text().await.unwrap();
        assert!(text.contains("the cookie of other.test"), "{text}");
    }
    let mut nobody = Browser::new(&server);
    let page = nobody.get("https://app.test/continue?return_to=%2Fx").await;
    assert_eq!(page.status(), 409);
    let text = page.text().await.unwrap().replace("&#x2f;", "/");
    assert!(text.contains("https://app.test/login?return_to=https%3A%2F%2Fapp.test%2Fx"));
}

/// What is begun leads to our own places, from the host that they are on.
#[tokio::test]
async fn only_places_of_the_own_host_are_begun() {
    let server = server_with(SITE).await;
    for (host, place) in [
        (THERE, "https://evil.test/"),
        (THERE, "https://app.test/"),
        (HERE, PAGE),
        ("evil.test", PAGE),
        (THERE, ""),
    ] {
        let place: String = url::form_urlencoded::byte_serialize(place.as_bytes()).collect();
        let url = format!("https://{host}/callback?return_to={place}");
        let response = Browser::new(&server).get(&url).await;
        assert_eq!(response.status(), 400, "{url}");
        assert!(set_cookies(&response).is_empty());
    }
    for (browser, place) in [("", "https://evil.test/"), ("x", "/login")] {
        let mut ada = Browser::signed_in(&server, ADA).await;
        let url = format!("https://app.test/continue?return_to={place}&browser={browser}");
        let response = ada.get(&url).await;
        assert_eq!(location(&response), "https://app.test/account", "{url}");
    }
}

/// NI-7: the password is no fresher on the second host than where it was typed.
#[tokio::test]
async fn ni_7_the_time_of_the_proof_is_carried_over() {
    let server = server_with(SITE).await;
    let mut ada = Browser::signed_in(&server, ADA).await;
    ada.follow(&to_login(PAGE)).await;
    let mut at = Vec::new();
    for host in [HERE, THERE] {
        let token = ada.cookie(host, "__Host-session").unwrap();
        let found = verified(&server, &token).await;
        at.push((
            found["authenticated_at"].clone(),
            found["expires_at"].clone(),
        ));
    }
    assert!(at[0].0.is_string());
    assert_eq!(at[0], at[1]);
}

/// `[login] url`: one's own form signs the person in on the public host, and the page on the other host is reached too.
#[tokio::test]
async fn an_own_form_serves_the_second_host_too() {
    let own = format!("{SITE}url = \"https://app.test/mine\"\n");
    let server = server_with(&own).await;
    let mut ada = Browser::new(&server);
    for (host, leads) in [
        (HERE, "https://app.test/page".to_owned()),
        (
            THERE,
            "https://app.test/continue?return_to=https%3A%2F%2Fother.test%2Fpage".to_owned(),
        ),
    ] {
        let request = server.client().get(server.url("/auth-request"));
        let page = format!("https://{host}/page");
        let asked = request.header("X-Original-URL", &page).send().await;
        let asked = asked.unwrap();
        let by_login = ada.get(&to_login(&page)).await;
        for form in [location(&asked), location(&by_login)] {
            let form = url::Url::parse(form).unwrap();
            assert_eq!(form.path(), "/mine");
            let told: Vec<_> = form.query_pairs().collect();
            assert_eq!(told, [("return_to".into(), (&*leads).into())]);
        }
    }
    // What the form does: it proves the person, begins a session, hands the cookie on, and sends the person back.
    let begun = api(&server, "/v1/sessions", json!({ "subject": "ada" })).await;
    let set = begun["set_cookie"].as_str().unwrap();
    let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
    ada.kept
        .insert((HERE.to_owned(), name.to_owned()), value.to_owned());
    let back = "https://app.test/continue?return_to=https%3A%2F%2Fother.test%2Fpage%3Fx%3D1";
    let (arrived, _) = ada.follow(back).await;
    assert_eq!(arrived, PAGE);
    assert_eq!(
        [ada.asks_for(HERE).await, ada.asks_for(THERE).await],
        [200, 200]
    );
}
