//! What proxies ask: `/auth-request` and `/forward-auth`.

use super::people::{ADA, add_user, location, logged_in, server_with};
use super::support::Server;
use reqwest::{Method, RequestBuilder, Response, header::COOKIE};

const SITE: &str = "[server]\npublic_url = \"https://app.test\"\n[login]\nallowed_origins = [\"https://other.test\"]\n";

/// One question at both endpoints: who may get this page.
struct Question<'a> {
    server: &'a Server,
    host: &'a str,
    path: &'a str,
    method: Method,
    cookie: Option<&'a str>,
}

impl<'a> Question<'a> {
    fn new(server: &'a Server, host: &'a str, path: &'a str) -> Self {
        Self {
            server,
            host,
            path,
            method: Method::GET,
            cookie: None,
        }
    }

    fn of(mut self, cookie: &'a str) -> Self {
        self.cookie = Some(cookie);
        self
    }

    fn by(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    fn with_cookie(&self, request: RequestBuilder) -> RequestBuilder {
        match self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    /// As Caddy and Traefik ask.
    fn forward(&self) -> RequestBuilder {
        let request = self.server.client().get(self.server.url("/forward-auth"));
        let request = request.header("X-Forwarded-Method", self.method.as_str());
        let request = request
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", self.host);
        self.with_cookie(request.header("X-Forwarded-Uri", self.path))
    }

    /// As nginx asks.
    fn original(&self) -> RequestBuilder {
        let request = self.server.client().get(self.server.url("/auth-request"));
        let request = request.header("X-Original-Method", self.method.as_str());
        self.with_cookie(request.header(
            "X-Original-URL",
            format!("https://{}{}", self.host, self.path),
        ))
    }

    async fn both(&self) -> [u16; 2] {
        let (one, two) = (
            self.forward().send().await.unwrap(),
            self.original().send().await.unwrap(),
        );
        for response in [&one, &two] {
            assert!(
                response.headers().get("set-cookie").is_none(),
                "no cookie is set on this path (FA-6)"
            );
            if response.status() == 200 {
                for name in ["x-auth-subject", "x-auth-session-id", "x-auth-token"] {
                    assert!(response.headers().contains_key(name), "FA-4: {name}");
                }
            }
        }
        [one.status().as_u16(), two.status().as_u16()]
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

/// FA-1, FA-2, FA-4.
#[tokio::test]
async fn a_session_is_200_with_the_identity_and_none_is_401() {
    let server = server_with(SITE).await;
    let held = logged_in(&server, ADA).await;
    let asked = Question::new(&server, "app.test", "/page").of(&held);
    for response in [
        asked.forward().send().await.unwrap(),
        asked.original().send().await.unwrap(),
    ] {
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-auth-subject"), "ada");
        assert_eq!(header(&response, "x-auth-session-id").len(), 22);
        assert_eq!(header(&response, "x-auth-token"), "");
        assert_eq!(header(&response, "cache-control"), "no-store");
    }
    assert_eq!(
        Question::new(&server, "app.test", "/page").both().await,
        [401, 401]
    );
    let forged = format!("__Host-session={}", "A".repeat(43));
    for cookie in [forged.as_str(), "__Host-session=x", "session=x"] {
        assert_eq!(
            Question::new(&server, "app.test", "/")
                .of(cookie)
                .both()
                .await,
            [401, 401]
        );
    }
}

/// A browser is sent to the login: 302 after GET and HEAD, 303 after a form; nginx gets the place with its 401.
#[tokio::test]
async fn a_browser_without_a_session_is_sent_to_the_login() {
    let server = server_with(SITE).await;
    let login = "https://app.test/login?return_to=https%3A%2F%2Fother.test%2Fpage%3Fx%3D1%2526";
    for (method, status) in [
        (Method::GET, 302),
        (Method::HEAD, 302),
        (Method::POST, 303),
        (Method::DELETE, 303),
    ] {
        let asked = Question::new(&server, "other.test", "/page?x=1%26").by(method);
        let response = asked
            .forward()
            .header("Accept", "text/html,*/*;q=0.8")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (status, login)
        );
        let response = asked
            .original()
            .header("Accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (401, login)
        );
    }
}

/// The endpoints answer every method alike, and never need a body (FA-3).
#[tokio::test]
async fn fa_3_any_method_may_ask() {
    let server = server_with(SITE).await;
    let held = logged_in(&server, ADA).await;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::OPTIONS,
        Method::DELETE,
    ] {
        let request = server
            .client()
            .request(method.clone(), server.url("/auth-request"));
        let request = request
            .header(COOKIE, &held)
            .header("X-Original-Method", "GET");
        // As a browser's cross-site request shows up behind the proxy: what it means is for the application to judge.
        let request = request.header("Sec-Fetch-Site", "cross-site");
        let response = request
            .header("X-Original-URL", "https://app.test/")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{method}");
    }
}

/// FA-5: what is missing, doubled or no address is a clear refusal; an unknown host gets nothing, session or not.
#[tokio::test]
async fn fa_5_strange_questions_are_refused() {
    let server = server_with(SITE).await;
    let held = logged_in(&server, ADA).await;
    let all = [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "app.test"),
        ("X-Forwarded-Uri", "/"),
    ];
    let ask = |fields: Vec<(&'static str, &'static str)>| {
        let mut request = server
            .client()
            .get(server.url("/forward-auth"))
            .header(COOKIE, &held);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(ask(all.to_vec()).await, 200);
    for missing in 0..all.len() {
        let mut fields = all.to_vec();
        fields.remove(missing);
        assert_eq!(ask(fields).await, 400, "without {}", all[missing].0);
    }
    for (name, value) in [
        ("X-Forwarded-Method", "get"),
        ("X-Forwarded-Method", "G/T"),
        ("X-Forwarded-Proto", "ftp"),
        ("X-Forwarded-Host", "app.test@evil.test"),
        ("X-Forwarded-Host", "app.test/x"),
        ("X-Forwarded-Host", "app.test, evil.test"),
        ("X-Forwarded-Uri", "page"),
    ] {
        let mut fields: Vec<_> = all
            .iter()
            .copied()
            .filter(|(other, _)| *other != name)
            .collect();
        fields.push((name, value));
        assert_eq!(ask(fields).await, 400, "{name}: {value}");
    }
    let mut twice = all.to_vec();
    twice.push(("X-Forwarded-Host", "other.test"));
    assert_eq!(ask(twice).await, 400, "two hosts");
    for host in ["evil.test", "app.test.evil.test", "app.test:444"] {
        assert_eq!(
            Question::new(&server, host, "/").of(&held).both().await,
            [403, 403],
            "{host}"
        );
    }
}

/// Who is no trusted proxy gets no answer that could be believed.
#[tokio::test]
async fn fa_5_only_trusted_proxies_are_believed() {
    let server = server_with(&format!("{SITE}[proxy]\ntrusted = [\"10.0.0.0/8\"]\n")).await;
    let held = logged_in(&server, ADA).await;
    assert_eq!(
        Question::new(&server, "app.test", "/")
            .of(&held)
            .both()
            .await,
        [403, 403]
    );
}

/// `[[access]]`: public, roles, subjects; signed in and not allowed is 403, never a redirect.
#[tokio::test]
async fn access_rules_say_who_may() {
    let rules = "[[access]]\npath = \"/open\"\nallow = \"public\"\n\
        [[access]]\npath = \"/staff\"\nallow = [\"staff\"]\n\
        [[access]]\npath = \"/ada\"\nmethods = [\"GET\"]\nallow = [\"ada\"]\n\
        [[access]]\nallow = \"signed-in\"\n";
    let server = server_with(&format!("{SITE}{rules}")).await;
    let bob = ("bob", "another good password");
    add_user(&server, bob, &["--role", "staff"]);
    let (adas, bobs) = (logged_in(&server, ADA).await, logged_in(&server, bob).await);
    for (path, method, for_ada, for_bob) in [
        ("/open/x", Method::GET, 200, 200),
        ("/staff", Method::GET, 403, 200),
        ("/staff/x?y", Method::POST, 403, 200),
        ("/staffing", Method::GET, 200, 200),
        ("/ada", Method::GET, 200, 403),
        ("/ada", Method::POST, 200, 200),
        ("/open/../staff", Method::GET, 403, 403),
        ("/open/%2e%2e/staff", Method::GET, 403, 403),
        ("/open%2f..%2fstaff", Method::GET, 403, 403),
    ] {
        for (cookie, expected) in [(&adas, for_ada), (&bobs, for_bob)] {
            let asked = Question::new(&server, "app.test", path)
                .by(method.clone())
                .of(cookie);
            assert_eq!(asked.both().await, [expected; 2], "{method} {path}");
        }
    }
    assert_eq!(
        Question::new(&server, "app.test", "/open/x").both().await,
        [200, 200]
    );
    let refused = Question::new(&server, "app.test", "/staff")
        .of(&adas)
        .forward()
        .header("Accept", "text/html");
    let refused = refused.send().await.unwrap();
    assert_eq!((refused.status().as_u16(), location(&refused)), (403, ""));
    // A role that is gone is gone with the next request.
    assert!(
        server
            .setup()
            .run(&["user", "disable", "bob"])
            .status
            .success()
    );
    assert_ne!(
        Question::new(&server, "app.test", "/staff")
            .of(&bobs)
            .both()
            .await,
        [200, 200]
    );
}

/// What no rule names, every signed-in person may; nobody else.
#[tokio::test]
async fn what_no_rule_names_is_for_the_signed_in() {
    let rule = "[[access]]\npath = \"/staff\"\nallow = [\"staff\"]\n";
    let server = server_with(&format!("{SITE}{rule}")).await;
    let ada = logged_in(&server, ADA).await;
    let other = Question::new(&server, "app.test", "/other");
    assert_eq!(other.both().await, [401, 401]);
    assert_eq!(other.of(&ada).both().await, [200, 200]);
    let staff = Question::new(&server, "app.test", "/staff").of(&ada);
    assert_eq!(staff.both().await, [403, 403]);
}
