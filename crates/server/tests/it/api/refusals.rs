//! Bad input: a clear 4xx, never a panic, never a session.

use super::client::{Api, answer};
use reqwest::Method;

#[tokio::test]
async fn malformed_oversized_and_foreign_bodies_are_4xx() {
    let api = Api::start().await;
    let deep = format!(
        "{{\"data\":{{\"a\":{}{}}}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let wide = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(70_000));
    let huge = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(200_000));
    let long = format!("{{\"subject\":\"{}\"}}", "s".repeat(256));
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("{} {}", 400),
        ("\u{feff}{}", 400),
        (r#"{"subject": ""}"#, 400),
        (r#"{"subject": "a\u0000b"}"#, 400),
        (r#"{"subject": "a", "subject": "b"}"#, 400),
        (r#"{"subject": 7}"#, 400),
        (r#"{"data": {"a": 1, "a": 2}}"#, 400),
        (r#"{"data": {"a": [{"b": 1, "b": 2}]}}"#, 400),
        (r#"{"data": {"a": "\ud800"}}"#, 400),
        (r#"{"data": {"": 1}}"#, 400),
        (r#"{"acr": "1"}"#, 400),
        (r#"{"idle_timeout": 0}"#, 400),
        (r#"{"idle_timeout": -1}"#, 400),
        (r#"{"idle_timeout": 1e30}"#, 400),
        (r#"{"device": {"ip": "x"}}"#, 400),
        (r#"{"nonsense": true}"#, 400),
        (&deep, 400),
        (&long, 400),
        (&wide, 413),
        (&huge, 413),
    ] {
        let request = api
            .request(Method::POST, "/v1/sessions")
            .header("content-type", "application/json");
        let (got, problem) = answer(request.body(body.to_owned()).send().await.unwrap()).await;
        assert_eq!(got, status, "{}: {problem}", &body[..body.len().min(60)]);
    }
    // FM-9: none of the three simple content types.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let request = api
            .request(Method::POST, "/v1/sessions")
            .header("content-type", kind);
        assert_eq!(
            answer(request.body("{}").send().await.unwrap()).await.0,
            415,
            "{kind}"
        );
    }
    let request = api
        .request(Method::POST, "/v1/sessions")
        .header("content-type", "application/json");
    let not_utf8 = request
        .body(b"{\"subject\": \"\xff\xfe\"}".to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(answer(not_utf8).await.0, 400);
    let (_, listed) = api.get("/v1/sessions").await;
    assert_eq!(
        listed["sessions"].as_array().unwrap().len(),
        0,
        "none of these made a session"
    );
}

#[tokio::test]
async fn unknown_paths_methods_and_ids_are_problems() {
    let api = Api::start().await;
    for path in [
        "/v1/sessions/x",
        "/v1/sessions/%00",
        "/v1/sessions/%ff",
        "/v1/nothing",
        "/v1/sessions/a/b/c",
    ] {
        let (status, _) = api.get(path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    let put = api
        .request(Method::PUT, "/v1/sessions")
        .send()
        .await
        .unwrap();
    assert!(put.headers().contains_key("allow"));
    assert_eq!(answer(put).await.0, 405);
}

#[tokio::test]
async fn doubled_and_unreadable_headers_are_4xx() {
    let api = Api::start().await;
    let (id, _) = api.login("alice").await;
    let path = format!("/v1/sessions/{id}");
    let json = ("content-type", &b"application/json"[..]);
    let not_utf8 = &b"\xff\xfe"[..];
    for (method, path, headers, status) in [
        (Method::POST, "/v1/sessions", vec![json, json], 415),
        (
            Method::POST,
            "/v1/sessions",
            vec![("content-type", not_utf8)],
            415,
        ),
        (
            Method::POST,
            "/v1/sessions",
            vec![json, ("idempotency-key", b"a"), ("idempotency-key", b"b")],
            400,
        ),
        (
            Method::POST,
            "/v1/sessions",
            vec![json, ("idempotency-key", not_utf8)],
            400,
        ),
        (
            Method::PATCH,
            &path,
            vec![json, ("if-match", not_utf8)],
            400,
        ),
        (
            Method::PATCH,
            &path,
            vec![json, ("if-match", b"\"1\""), ("if-match", b"*")],
            400,
        ),
        (
            Method::PATCH,
            &path,
            vec![json, ("if-match", b"\"7\", W/\"1\"")],
            412,
        ),
        (
            Method::PATCH,
            &path,
            vec![json, ("if-match", b"\"7\", \"1\"")],
            200,
        ),
    ] {
        let mut request = api.request(method.clone(), path).body("{}");
        for (name, value) in &headers {
            let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
            let name = reqwest::header::HeaderName::from_static(name);
            // `header` of the client replaces a content type; this one adds.
            let (client, built) = request.build_split();
            let mut built = built.unwrap();
            built.headers_mut().append(name, value);
            request = reqwest::RequestBuilder::from_parts(client, built);
        }
        let (got, problem) = answer(request.send().await.unwrap()).await;
        assert_eq!(got, status, "{method} {path} {headers:?}: {problem}");
    }
}
