//! What the account page asks the password for.

use super::people::{ADA, add_user, cookie, location, logged_in, login, opens, server_with};
use super::support::Server;
use reqwest::{Response, header::COOKIE};

/// Every deed asks for the password.
const ALWAYS: &str = "[login]\nreauthenticate_after = \"0s\"\n";
const NEW: &str = "a new one that is long enough";

async fn post(server: &Server, path: &str, cookie: &str, form: &[(&str, &str)]) -> Response {
    let request = server.client().post(server.url(path)).form(form);
    request.header(COOKIE, cookie).send().await.unwrap()
}

async fn page(server: &Server, path: &str, cookie: &str) -> String {
    let request = server.client().get(server.url(path)).header(COOKIE, cookie);
    request.send().await.unwrap().text().await.unwrap()
}

/// The id of the other session, as the account page names it.
async fn other_id(server: &Server, cookie: &str) -> String {
    let page = page(server, "/account", cookie).await;
    let rest = page.split("name=\"session_id\" value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// AV-7.5.2, AV-7.2.4: whoever only has the session ends no other one; with the password it is done, under a new token.
#[tokio::test]
async fn av_7_5_2_other_sessions_end_after_the_password_alone() {
    let server = server_with(ALWAYS).await;
    for path in ["/account/end", "/account/end-others"] {
        let (mut own, other) = (logged_in(&server, ADA).await, logged_in(&server, ADA).await);
        let id = other_id(&server, &own).await;
        let asked = post(&server, path, &own, &[("session_id", &id)]).await;
        assert_eq!(asked.status(), 403);
        let asked = asked.text().await.unwrap();
        assert!(
            asked.contains("name=\"password\"") && asked.contains(path.rsplit('/').next().unwrap())
        );
        assert_eq!(
            asked.contains(&id),
            path == "/account/end",
            "it is asked for again"
        );
        let wrong = [("session_id", id.as_str()), ("password", "not hers")];
        assert_eq!(post(&server, path, &own, &wrong).await.status(), 422);
        assert!(opens(&server, &own).await && opens(&server, &other).await);

        let right = [("session_id", id.as_str()), ("password", ADA.1)];
        let done = post(&server, path, &own, &right).await;
        assert_eq!(done.status(), 303);
        let fresh = cookie(&done);
        assert!(opens(&server, &fresh).await && !opens(&server, &other).await);
        assert!(!opens(&server, &own).await, "OW-10: the old token");
        own = fresh;
        post(&server, "/logout", &own, &[]).await;
    }
}

/// The password is guessed here no faster than at the login.
#[tokio::test]
async fn guesses_at_the_account_page_are_delayed() {
    let server = server_with(ALWAYS).await;
    let own = logged_in(&server, ADA).await;
    for path in ["/account/end-others", "/account/password"] {
        let form = [
            ("password", "a guess"),
            ("current", "a guess"),
            ("new", NEW),
            ("again", NEW),
        ];
        let mut statuses = Vec::new();
        for _ in 0..8 {
            let answer = post(&server, path, &own, &form).await;
            let waits = answer.headers().contains_key("retry-after");
            assert_eq!(answer.status() == 429, waits);
            statuses.push(answer.status().as_u16());
        }
        assert!(statuses.contains(&429), "{path}: {statuses:?}");
    }
    assert!(opens(&server, &own).await);
}

/// AV-7.5.1, AV-7.4.3, OW-10: the current password is needed, however fresh the login; the own token is replaced, all
/// other sessions end, and only the new password logs in.
#[tokio::test]
async fn ow_10_a_changed_password_replaces_the_token_and_ends_the_others() {
    let server = server_with("").await;
    let (own, other) = (logged_in(&server, ADA).await, logged_in(&server, ADA).await);
    assert!(
        page(&server, "/account", &own)
            .await
            .contains("/account/password")
    );
    let change = async |current: &str, new: &str, again: &str| {
        let form = [("current", current), ("new", new), ("again", again)];
        post(&server, "/account/password", &own, &form).await
    };
    for (current, new, again, why) in [
        ("not hers", NEW, NEW, "not your password"),
        ("", NEW, NEW, "not your password"),
        (ADA.1, "fourteen chars", "fourteen chars", "at least 15"),
        (ADA.1, NEW, "a new one that is different", "not the same"),
    ] {
        let refused = change(current, new, again).await;
        assert_eq!(refused.status(), 422, "{why}");
        assert!(refused.headers().get("set-cookie").is_none());
        assert!(refused.text().await.unwrap().contains(why), "{why}");
    }
    assert!(opens(&server, &own).await && opens(&server, &other).await);

    let done = change(ADA.1, NEW, NEW).await;
    assert_eq!(done.status(), 303);
    assert_eq!(done.headers()["cache-control"], "no-store");
    let fresh = cookie(&done);
    assert!(opens(&server, &fresh).await);
    assert!(!opens(&server, &own).await && !opens(&server, &other).await);
    let old = login(&server, ADA, "").send().await.unwrap();
    assert_eq!(old.status(), 422);
    assert!(opens(&server, &logged_in(&server, (ADA.0, NEW)).await).await);
    let told = page(&server, "/account?done=password", &fresh).await;
    assert!(told.contains("Your password is changed"));
}

/// FM-1: other sites' forms change nothing.
#[tokio::test]
async fn fm_1_a_form_of_another_site_changes_no_password() {
    let server = server_with("").await;
    let own = logged_in(&server, ADA).await;
    let form = [("current", ADA.1), ("new", NEW), ("again", NEW)];
    let request = server.client().post(server.url("/account/password"));
    let request = request.header("Sec-Fetch-Site", "cross-site").form(&form);
    let refused = request.header(COOKIE, &own).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    logged_in(&server, ADA).await;
}

/// Nobody changes a password without a session, nor that of somebody else.
#[tokio::test]
async fn the_password_is_that_of_the_session() {
    let server = server_with("").await;
    let bob = ("bob", "another good password");
    add_user(&server, bob, &[]);
    let bobs = logged_in(&server, bob).await;
    let form = [
        ("username", "ada"),
        ("current", ADA.1),
        ("new", NEW),
        ("again", NEW),
    ];
    let stranger = post(&server, "/account/password", "", &form).await;
    assert!(location(&stranger).contains("/login"));
    assert_eq!(
        post(&server, "/account/password", &bobs, &form)
            .await
            .status(),
        422
    );
    logged_in(&server, ADA).await;
}

/// Whose password is kept elsewhere is not asked for it here, but sent to the form that knows it.
#[tokio::test]
async fn whose_password_is_kept_elsewhere_proves_it_there() {
    let bootstrap = "[bootstrap]\napi_key_file = \"first.key\"\n";
    let form = format!("{ALWAYS}url = \"http://127.0.0.1:1/mine\"\n");
    for (more, status) in [(ALWAYS, 403), (form.as_str(), 303)] {
        let server = server_with(&format!("{more}{bootstrap}")).await;
        let key = std::fs::read_to_string(server.setup().path().join("first.key")).unwrap();
        let request = server.client().post(server.url("/v1/sessions"));
        let request = request.bearer_auth(key.trim());
        let begun = request.json(&serde_json::json!({ "subject": "grace" }));
        let begun: serde_json::Value = begun.send().await.unwrap().json().await.unwrap();
        let own = begun["set_cookie"].as_str().unwrap();
        let own = own.split(';').next().unwrap();
        assert!(
            !page(&server, "/account", own)
                .await
                .contains("/account/password")
        );
        for path in ["/account/end-others", "/account/password"] {
            let answer = post(&server, path, own, &[("password", "x")]).await;
            assert_eq!(answer.status(), status, "{path}");
            let sent = location(&answer);
            let expected = status == 303;
            assert_eq!(sent.contains("/mine?return_to="), expected, "{sent}");
            assert_eq!(sent.ends_with("&prompt=login"), expected, "{sent}");
        }
    }
}
