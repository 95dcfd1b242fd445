//! Login, logout and the account page, over HTTP.

use super::people::{
    ADA, add_user, cookie, location, logged_in, login, opens, server_with, set_cookies,
};
use reqwest::header::COOKIE;

const HTTPS: &str = "[server]\npublic_url = \"https://app.test\"\n";

/// CK-8, CK-10, OW-6, OW-14: the cookie, its attributes, and that nothing keeps the answer.
#[tokio::test]
async fn ck_8_the_cookie_is_the_hosts_alone_and_the_answer_is_kept_nowhere() {
    let plain = server_with("").await;
    let secure = server_with(HTTPS).await;
    for (server, start, is_secure) in [
        (&plain, "session=", false),
        (&secure, "__Host-session=", true),
    ] {
        let response = login(server, ADA, "").send().await.unwrap();
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let all = set_cookies(&response);
        let set: Vec<&String> = all
            .iter()
            .filter(|value| value.starts_with(start))
            .collect();
        assert_eq!(set.len(), 1, "CK-2: {all:?}");
        let attributes: Vec<&str> = set[0].split("; ").skip(1).collect();
        for expected in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(attributes.contains(&expected), "{attributes:?}");
        }
        assert_eq!(attributes.contains(&"Secure"), is_secure);
        assert!(!attributes.iter().any(|a| a.starts_with("Domain")
            || a.starts_with("Max-Age")
            || a.starts_with("Expires")));
    }
}

/// OW-9, CK-18: neither an unknown id nor another person's session is adopted.
#[tokio::test]
async fn ow_9_a_presented_token_never_rides_along() {
    let server = server_with("").await;
    add_user(&server, ("mallory", "the attacker's password"), &[]);
    let mallorys = logged_in(&server, ("mallory", "the attacker's password")).await;
    let unknown = format!("session={}", "A".repeat(43));
    for planted in [&mallorys, &unknown, &"session=x".to_owned()] {
        let response = login(&server, ADA, "")
            .header(COOKIE, planted)
            .send()
            .await
            .unwrap();
        let fresh = cookie(&response);
        assert_ne!(&fresh, planted);
        assert!(opens(&server, &fresh).await);
        assert!(!opens(&server, planted).await, "{planted}");
    }
}

/// OW-10, AV-7.2.4: a login on a live session gives it a new token, and the old one is dead at once.
#[tokio::test]
async fn ow_10_the_token_changes_at_login() {
    let server = server_with("").await;
    let first = logged_in(&server, ADA).await;
    let again = login(&server, ADA, "")
        .header(COOKIE, &first)
        .send()
        .await
        .unwrap();
    let second = cookie(&again);
    assert_ne!(first, second);
    assert!(!opens(&server, &first).await && opens(&server, &second).await);
}

/// FM-1 to FM-3, FM-8: the login form too is taken from our own pages alone.
#[tokio::test]
async fn fm_1_forms_of_other_sites_are_refused() {
    let server = server_with("").await;
    let own = server.url("");
    for (name, value, is_taken) in [
        ("Sec-Fetch-Site", "same-origin", true),
        ("Sec-Fetch-Site", "none", true),
        ("Sec-Fetch-Site", "cross-site", false),
        ("Sec-Fetch-Site", "same-site", false),
        ("Origin", own.as_str(), true),
        ("Origin", "https://evil.test", false),
        ("Origin", "null", false),
        ("Referer", "https://evil.test/x", false),
    ] {
        let response = login(&server, ADA, "")
            .header(name, value)
            .send()
            .await
            .unwrap();
        assert_eq!(
            response.status(),
            if is_taken { 303 } else { 403 },
            "{name}: {value}"
        );
        assert_eq!(set_cookies(&response).is_empty(), !is_taken);
    }
    let held = logged_in(&server, ADA).await;
    for path in ["/logout", "/account/end-others"] {
        let request = server.client().post(server.url(path)).header(COOKIE, &held);
        let response = request
            .header("Sec-Fetch-Site", "cross-site")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 403, "{path}");
    }
    assert!(opens(&server, &held).await);
}

/// Whoever logs in comes to the page first asked for, and never to somebody else's.
#[tokio::test]
async fn a_login_leads_to_our_own_places_only() {
    let more = format!("{HTTPS}[login]\nallowed_origins = [\"https://app.test:8443\"]\n");
    let server = server_with(&more).await;
    for (asked, leads) in [
        ("/page?x=1", "https://app.test/page?x=1"),
        ("https://app.test/page", "https://app.test/page"),
        ("https://app.test:8443/page", "https://app.test:8443/page"),
        ("https://evil.test/", "https://app.test/account"),
        ("//evil.test/", "https://app.test/account"),
        ("/\\evil.test/", "https://app.test/account"),
        ("javascript:alert(1)", "https://app.test/account"),
        // It would send people who are signed in to itself, for ever.
        ("/login", "https://app.test/account"),
        ("", "https://app.test/account"),
    ] {
        let response = login(&server, ADA, asked).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (303, leads),
            "{asked}"
        );
    }
}

/// OW-14, CK-7: first the session ends, then the browser forgets, with the attributes that were set.
#[tokio::test]
async fn a_logout_ends_the_session_and_clears_the_cookie() {
    let server = server_with(HTTPS).await;
    let held = logged_in(&server, ADA).await;
    let request = server
        .client()
        .post(server.url("/logout"))
        .header(COOKIE, &held);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert!(location(&response).starts_with("https://app.test/"));
    assert_eq!(
        response.headers()["clear-site-data"],
        "\"cache\", \"storage\""
    );
    let cleared = set_cookies(&response).remove(0);
    for part in ["__Host-session=;", "Secure", "Path=/", "Max-Age=0"] {
        assert!(cleared.contains(part), "{cleared}");
    }
    assert!(!opens(&server, &held).await);
    let link = server
        .client()
        .get(server.url("/logout"))
        .header(COOKIE, &held)
        .send()
        .await
        .unwrap();
    assert_ne!(link.status(), 303, "a link logs nobody out");
}

/// A person ends own sessions, one or all others, and nobody else's (AV-7.5.2, OW-17).
#[tokio::test]
async fn the_account_page_ends_own_sessions_only() {
    let server = server_with("").await;
    let bob = ("bob", "another good password");
    add_user(&server, bob, &[]);
    let (one, two, bobs) = (
        logged_in(&server, ADA).await,
        logged_in(&server, ADA).await,
        logged_in(&server, bob).await,
    );
    let bobs_id = id_of(&server, &bobs).await;
    let end = |cookie: &str, id: &str| {
        let request = server
            .client()
            .post(server.url("/account/end"))
            .header(COOKIE, cookie.to_owned());
        request.form(&[("session_id", id.to_owned())]).send()
    };
    end(&one, &bobs_id).await.unwrap();
    assert!(opens(&server, &bobs).await, "another person's session");
    end(&one, &id_of(&server, &two).await).await.unwrap();
    assert!(!opens(&server, &two).await && opens(&server, &one).await);

    let three = logged_in(&server, ADA).await;
    let others = server
        .client()
        .post(server.url("/account/end-others"))
        .header(COOKIE, &one);
    assert_eq!(others.send().await.unwrap().status(), 303);
    assert!(
        opens(&server, &one).await && !opens(&server, &three).await && opens(&server, &bobs).await
    );
}

/// The public id of the session behind a cookie: the first 16 of the token's 32 bytes.
async fn id_of(server: &super::support::Server, cookie: &str) -> String {
    let request = server
        .client()
        .get(server.url("/forward-auth"))
        .header(COOKIE, cookie);
    let host = server.address().to_owned();
    let request = request
        .header("X-Forwarded-Method", "GET")
        .header("X-Forwarded-Proto", "http");
    let response = request
        .header("X-Forwarded-Host", host)
        .header("X-Forwarded-Uri", "/")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    response.headers()["x-auth-session-id"]
        .to_str()
        .unwrap()
        .to_owned()
}
