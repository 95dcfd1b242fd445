//! The rules FM-1 to FM-6, one by one.

use http::{Method, Request};

use super::CsrfLayer;
use super::rules::{Origin, Refused};

fn judge(layer: &CsrfLayer, method: &str, headers: &[(&str, &str)]) -> Result<(), Refused> {
    let mut request = Request::builder()
        .method(method)
        .uri("/transfer")
        .header("host", "app.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    layer.check(&request.body(()).unwrap())
}

fn post(headers: &[(&str, &str)]) -> Result<(), Refused> {
    judge(&CsrfLayer::new(), "POST", headers)
}

#[test]
fn unsafe_methods_pass_from_ourselves_only() {
    // FM-1
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let from = |site| {
            judge(
                &CsrfLayer::new(),
                method.as_str(),
                &[("sec-fetch-site", site)],
            )
        };
        assert_eq!(from("cross-site"), Err(Refused::CrossSite));
        assert_eq!(from("same-site"), Err(Refused::SameSite));
        assert_eq!(from("same-origin"), Ok(()));
        assert_eq!(from("none"), Ok(()));
    }
    let siblings = CsrfLayer::new().trust_siblings(true);
    assert_eq!(
        judge(&siblings, "POST", &[("sec-fetch-site", "same-site")]),
        Ok(())
    );
    assert_eq!(
        judge(&siblings, "POST", &[("sec-fetch-site", "cross-site")]),
        Err(Refused::CrossSite)
    );
}

#[test]
fn unknown_or_repeated_values_are_ignored() {
    // FM-2
    for site in ["Same-Origin", "x", "same-origin, none"] {
        let headers = [("sec-fetch-site", site), ("origin", "https://evil.example")];
        assert_eq!(post(&headers), Err(Refused::ForeignOrigin), "{site}");
    }
    let twice = [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("origin", "null"),
    ];
    assert_eq!(post(&twice), Err(Refused::HiddenOrigin));
}

#[test]
fn without_fetch_metadata_the_origin_counts_then_the_referer() {
    // FM-3
    assert_eq!(post(&[("origin", "https://app.example")]), Ok(()));
    assert_eq!(
        post(&[("origin", "http://app.example:8080")]),
        Err(Refused::ForeignOrigin)
    );
    assert_eq!(
        post(&[("origin", "https://evil.example")]),
        Err(Refused::ForeignOrigin)
    );
    assert_eq!(
        post(&[("origin", "https://app.example.evil.example")]),
        Err(Refused::ForeignOrigin)
    );
    assert_eq!(post(&[("origin", "null")]), Err(Refused::HiddenOrigin));
    assert_eq!(post(&[("referer", "https://app.example/form?x=1")]), Ok(()));
    assert_eq!(
        post(&[("referer", "https://evil.example/?app.example")]),
        Err(Refused::ForeignOrigin)
    );
    assert_eq!(post(&[("referer", "rubbish")]), Err(Refused::ForeignOrigin));
    assert_eq!(post(&[]), Ok(()));
    assert_eq!(
        judge(&CsrfLayer::new().strict(true), "POST", &[]),
        Err(Refused::Unknown)
    );
}

#[test]
fn behind_a_proxy_the_external_origin_counts() {
    // FM-3
    let layer = CsrfLayer::new().origin("https://public.example").unwrap();
    assert_eq!(
        judge(&layer, "POST", &[("origin", "https://public.example")]),
        Ok(())
    );
    assert_eq!(
        judge(&layer, "POST", &[("origin", "https://app.example")]),
        Err(Refused::ForeignOrigin)
    );
    assert_eq!(
        judge(&layer, "POST", &[("origin", "http://public.example")]),
        Err(Refused::ForeignOrigin)
    );
}

#[test]
fn trusted_origins_are_exact() {
    // FM-4
    let layer = CsrfLayer::new().trust("https://pay.example").unwrap();
    let from = |origin| {
        judge(
            &layer,
            "POST",
            &[("sec-fetch-site", "cross-site"), ("origin", origin)],
        )
    };
    assert_eq!(from("https://pay.example"), Ok(()));
    assert_eq!(from("https://pay.example:444"), Err(Refused::CrossSite));
    assert_eq!(from("http://pay.example"), Err(Refused::CrossSite));
    for wrong in [
        "null",
        "https://a.example/",
        "https://a.example/x",
        "https://a.example?x",
        "a.example",
        "*",
        "https://A.example",
        "https://a.example:443",
        "ftp://a.example",
        "https://u@a.example",
        "",
    ] {
        assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
    }
}

#[test]
fn reading_is_allowed_but_not_as_an_object() {
    // FM-5
    let get = |dest| {
        let headers = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", dest),
        ];
        judge(&CsrfLayer::new(), "GET", &headers)
    };
    assert_eq!(get("document"), Ok(()));
    assert_eq!(get("object"), Err(Refused::CrossSite));
    assert_eq!(get("embed"), Err(Refused::CrossSite));
}

#[test]
fn a_socket_is_no_reading() {
    let headers = [
        ("sec-fetch-site", "cross-site"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
    ];
    assert_eq!(
        judge(&CsrfLayer::new(), "GET", &headers),
        Err(Refused::CrossSite)
    );
}
