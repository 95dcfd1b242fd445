//! A variant of the application, and requests to it.

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use tower::ServiceExt as _;

use crate::{Case, Layer};

/// One variant with one live session.
pub struct App {
    router: Router,
    cookie: HeaderValue,
}

impl App {
    /// The application under `layer`, and a session in it that holds the payload.
    ///
    /// # Panics
    /// Where the layer does not give a session.
    pub async fn under(layer: Layer) -> Self {
        // As `axum::serve` does once: otherwise every request puts the route and its layers together anew.
        let router = layer.router().await.with_state(());
        let cookie = begin(&router).await;
        Self { router, cookie }
    }

    /// Begins one more session with the payload.
    ///
    /// # Panics
    /// Where the layer does not give one.
    pub async fn begin(&self) -> HeaderValue {
        begin(&self.router).await
    }

    /// The request of `case`.
    fn request(&self, case: Case) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = http::Uri::from_static(case.path());
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("example.org"));
        headers.insert(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11)"));
        if case.has_cookie() {
            headers.insert(COOKIE, self.cookie.clone());
        }
        request
    }

    /// One request, answered.
    ///
    /// # Panics
    /// Where the answer is not 200: a layer that fails fast must not look fast.
    pub async fn call(&self, case: Case) -> Response<Body> {
        let answered = self.router.clone().oneshot(self.request(case)).await;
        let response = answered.unwrap_or_else(|never| match never {});
        assert_eq!(response.status(), StatusCode::OK, "{}", case.name());
        response
    }
}

/// Begins a session with the payload, and gives what the browser would send from then on.
async fn begin(router: &Router) -> HeaderValue {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static("/begin");
    let answered = router.clone().oneshot(request).await;
    let response = answered.unwrap_or_else(|never| match never {});
    assert_eq!(response.status(), StatusCode::OK, "/begin");
    cookies(&response)
}

/// The `Cookie` header that answers the response's `Set-Cookie` headers.
fn cookies(response: &Response<Body>) -> HeaderValue {
    let pairs: Vec<&str> = response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|value| value.split(';').next())
        .collect();
    assert!(!pairs.is_empty(), "/begin set no cookie");
    HeaderValue::try_from(pairs.join("; ")).expect("what came as a header goes as a header")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn text(app: &App, case: Case) -> String {
        let body = app.call(case).await.into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_layer_reads_and_counts() {
        for layer in Layer::ALL.into_iter().filter(|layer| layer.has_sessions()) {
            let app = App::under(layer).await;
            assert_eq!(text(&app, Case::Read).await, "1000", "{}", layer.name());
            assert_eq!(text(&app, Case::Write).await, "1001", "{}", layer.name());
            assert_eq!(text(&app, Case::Update).await, "1002", "{}", layer.name());
            assert_eq!(text(&app, Case::Read).await, "1002", "{}", layer.name());
            let new = app.call(Case::New).await;
            assert!(new.headers().contains_key(SET_COOKIE), "{}", layer.name());
        }
    }
}
