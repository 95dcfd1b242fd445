//! A login, a page behind it, and "sign out": `cargo run -p cloakroom-examples --bin login`, then open
//! <http://127.0.0.1:3000/>. The password of alice is `wonderland`.

use axum::extract::{Form, Query};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use cloakroom::{
    CsrfLayer, MIB, MemoryStore, Principal, Session, Sessions, require_login, session,
};
use cloakroom_examples::{loopback_cookie, serve};
use serde::Deserialize;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = MemoryStore::reserve(64 * MIB);
    let sessions = Sessions::builder(store).cookie(loopback_cookie()?).build();
    Ok(serve(router(&sessions)).await?)
}

fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(home))
        .route_layer(require_login("/login"))
        .route("/login", get(form).post(login))
        .route("/logout", post(logout))
        // Forms of other sites are refused, before anybody looks at a session.
        .layer(CsrfLayer::new())
        .layer(sessions.layer())
        .layer(middleware::map_response(plain_headers))
}

async fn home(who: Principal) -> Html<String> {
    let name = escaped(who.subject.as_str());
    Html(format!(
        "<p>Hello {name}.</p><form method=post action=/logout><button>Sign out</button></form>"
    ))
}

#[derive(Deserialize)]
struct Target {
    return_to: Option<String>,
}

async fn form(
    session: Session,
    Query(target): Query<Target>,
) -> Result<Html<String>, session::Error> {
    let said = session.take_flashes::<String>().await?;
    let target = escaped(local(target.return_to.as_deref()));
    let said: String = said
        .iter()
        .map(|text| format!("<p role=alert>{}</p>", escaped(text)))
        .collect();
    Ok(Html(format!(
        "{said}<form method=post><input type=hidden name=return_to value=\"{target}\">\
         <label>Name <input name=username autocomplete=username></label> \
         <label>Password <input name=password type=password autocomplete=current-password></label> \
         <button>Sign in</button></form>"
    )))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
    return_to: Option<String>,
}

async fn login(
    session: Session,
    Form(given): Form<Credentials>,
) -> Result<Response, session::Error> {
    if !is_right(&given.username, &given.password) {
        session.flash("Wrong name or password").await?;
        return Ok(Redirect::to("/login").into_response());
    }
    // A new token goes out with this response and the old one is dead: nobody can plant a session here.
    session.authenticate(given.username).await?;
    let target = local(given.return_to.as_deref());
    Ok(Redirect::to(target).into_response())
}

async fn logout(session: Session) -> Result<Response, session::Error> {
    session.end().await?;
    let clear = [("clear-site-data", "\"cache\", \"storage\"")];
    Ok((clear, Redirect::to("/login")).into_response())
}

/// A real application asks its users' table, and a password hash such as Argon2id.
fn is_right(username: &str, password: &str) -> bool {
    username == "alice" && password == "wonderland"
}

/// Only paths of our own: anybody can make a link with a `return_to`.
fn local(target: Option<&str>) -> &str {
    let is_local = |path: &&str| {
        let mut bytes = path.bytes();
        bytes.next() == Some(b'/')
            && !matches!(bytes.next(), Some(b'/' | b'\\'))
            && path.bytes().all(|byte| byte > b' ')
    };
    target.filter(is_local).unwrap_or("/")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

async fn plain_headers(
    response: Response,
) -> (StatusCode, [(&'static str, &'static str); 2], Response) {
    let headers = [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "frame-ancestors 'none'"),
    ];
    (response.status(), headers, response)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use cloakroom::TestSessions;

    use super::*;

    #[tokio::test]
    async fn in_back_to_the_page_first_asked_for_and_out() {
        let sessions = TestSessions::new();
        let browser = sessions.client(router(&sessions));
        let asked = Request::get("/?tab=2").header("accept", "text/html");
        let answer = browser.send(asked, Body::empty()).await;
        assert_eq!(answer.header("location"), "/login?return_to=/%3Ftab%3D2");
        assert!(
            browser
                .get(answer.header("location"))
                .await
                .text()
                .contains("value=\"/?tab=2\"")
        );

        let wrong = browser
            .post_form("/login", "username=alice&password=x")
            .await;
        assert_eq!(wrong.header("location"), "/login");
        assert!(
            browser
                .get("/login")
                .await
                .text()
                .contains("Wrong name or password")
        );
        let before = browser.session_cookie();

        let right = "username=alice&password=wonderland&return_to=%2F%3Ftab%3D2";
        let answer = browser.post_form("/login", right).await;
        assert_eq!(
            (answer.status().as_u16(), answer.header("location")),
            (303, "/?tab=2")
        );
        assert_ne!(browser.session_cookie(), before);
        assert!(browser.get("/").await.text().contains("Hello alice"));

        let stolen = browser.clone();
        assert_eq!(browser.post("/logout").await.status(), 303);
        assert_eq!(browser.session_cookie(), None);
        assert_eq!(stolen.get("/").await.status(), 401);
    }

    #[tokio::test]
    async fn nobody_is_sent_elsewhere() {
        let sessions = TestSessions::new();
        for target in [
            "https%3A%2F%2Fevil.example",
            "%2F%2Fevil.example",
            "%2F%5Cevil.example",
            "evil",
            "%2F%0A",
        ] {
            let browser = sessions.client(router(&sessions));
            let form = format!("username=alice&password=wonderland&return_to={target}");
            assert_eq!(
                browser.post_form("/login", &form).await.header("location"),
                "/",
                "{target}"
            );
        }
    }

    #[tokio::test]
    async fn a_form_of_another_site_signs_nobody_in() {
        let sessions = TestSessions::new();
        let browser = sessions.client(router(&sessions));
        let forged = Request::post("/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "cross-site");
        let answer = browser
            .send(forged, "username=alice&password=wonderland")
            .await;
        assert_eq!(
            (answer.status().as_u16(), browser.session_cookie()),
            (403, None)
        );
    }
}
