//! An API for pages of other origins: `SPA=http://127.0.0.1:8000 cargo run -p cloakroom-examples --bin cross_origin`.
//!
//! A page of the same site (`app.example.com` beside `api.example.com`, or another port) uses the cookie: it is on the list
//! of CORS and of the CSRF guard, and asks with `credentials: "include"`. A page of another site, whose cookies browsers
//! keep back, finds its token in the header `session-token` and sends it as `Authorization: Bearer`.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::{Router, routing::post};
use cloakroom::{CsrfLayer, MIB, MemoryStore, Session, Sessions, Transports, session};
use cloakroom_examples::{loopback_cookie, serve};
use tower_http::cors::CorsLayer;

/// Where a client without cookies finds its token.
const TOKEN: &str = "session-token";
/// How long a browser need not ask again what it may send; Chromium takes at most two hours.
const ASK_AGAIN: Duration = Duration::from_secs(2 * 3600);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let spa = std::env::var("SPA").unwrap_or_else(|_| "http://127.0.0.1:8000".to_owned());
    let sessions = Sessions::builder(MemoryStore::reserve(64 * MIB))
        .cookie(loopback_cookie()?)
        .build();
    Ok(serve(router(&sessions, &[&spa])?).await?)
}

/// The API, for pages of `origins`: by cookie, and below `/token` by bearer token, on one store.
fn router(by_cookie: &Sessions, origins: &[&str]) -> Result<Router, Failure> {
    let by_token = Sessions::builder_on(by_cookie.store().clone())
        .transports(Transports::bearer().response_header(TOKEN))
        .build();
    let mut csrf = CsrfLayer::new();
    let mut listed = Vec::new();
    for origin in origins {
        csrf = csrf.trust(origin)?;
        listed.push(HeaderValue::try_from(*origin)?);
    }
    // A list, never a wildcard and never an echo of whoever asks: with credentials that would be everybody.
    let cors = CorsLayer::new()
        .allow_origin(listed)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([HeaderName::from_static(TOKEN)])
        .max_age(ASK_AGAIN);
    // Outermost, so that refusals too may be read by the pages they are meant for; a preflight ends here and costs no
    // session a thing.
    let api = || Router::new().route("/visits", post(visits));
    Ok(Router::new()
        .nest("/token", api().layer(by_token.layer()))
        .merge(api().layer(by_cookie.layer()))
        .layer(csrf)
        .layer(cors))
}

async fn visits(session: Session) -> Result<String, session::Error> {
    let n: u64 = session
        .update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)
        .await?;
    Ok(n.to_string())
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, StatusCode, header};
    use cloakroom::TestSessions;

    use super::*;

    const SPA: &str = "https://app.example.com";
    const STRANGER: &str = "https://evil.example";

    fn asked(method: Method, origin: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri("/visits")
            .header(header::ORIGIN, origin)
            .header("sec-fetch-site", "cross-site")
    }

    fn preflight(origin: &str) -> axum::http::request::Builder {
        asked(Method::OPTIONS, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type")
    }

    #[tokio::test]
    async fn a_listed_page_is_answered_and_others_are_not() {
        let sessions = TestSessions::new();
        let client = sessions.client(router(&sessions, &[SPA]).unwrap());
        let allowed = client.send(preflight(SPA), "").await;
        assert_eq!(allowed.header("access-control-allow-origin"), SPA);
        assert_eq!(allowed.header("access-control-allow-credentials"), "true");
        assert_eq!(allowed.header("access-control-max-age"), "7200");
        let refused = client.send(preflight(STRANGER), "").await;
        assert_eq!(refused.header("access-control-allow-origin"), "");

        let answer = client.send(asked(Method::POST, SPA), "").await;
        assert_eq!(answer.text(), "1");
        assert_eq!(answer.header("access-control-allow-origin"), SPA);
        let vary = answer.headers().get_all(header::VARY).iter();
        let vary: Vec<_> = vary.filter_map(|value| value.to_str().ok()).collect();
        let vary = vary.join(", ").to_ascii_lowercase();
        assert!(vary.contains("origin") && vary.contains("cookie"), "{vary}");
        // FM-2: whoever is not on the list changes nothing, whatever his browser would let him read.
        let forged = client.send(asked(Method::POST, STRANGER), "").await;
        assert_eq!(forged.status(), StatusCode::FORBIDDEN);
        assert_eq!(client.send(asked(Method::POST, SPA), "").await.text(), "2");
    }

    #[tokio::test]
    async fn a_page_of_another_site_goes_by_the_token() {
        let sessions = TestSessions::new();
        let client = sessions.client(router(&sessions, &[SPA]).unwrap());
        let asked = || asked(Method::POST, SPA).uri("/token/visits");
        let first = client.send(asked(), "").await;
        assert!(first.set_cookies().is_empty());
        assert_eq!(first.header("access-control-expose-headers"), TOKEN);
        let bearer = format!("Bearer {}", first.header(TOKEN));
        let second = client.send(asked().header(AUTHORIZATION, bearer), "").await;
        assert_eq!(second.text(), "2");
    }
}
