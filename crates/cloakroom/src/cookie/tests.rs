//! What exactly stands in the header, and what is refused.

use std::time::Duration;

use cloakroom_core::{Secret, SessionId, SessionToken};
use proptest::prelude::*;
use url::Url;

use super::{CookieBuilder, CookieConfig, CookieError, SameSite};

const HOUR: Duration = Duration::from_secs(3600);

fn token() -> SessionToken {
    SessionToken::new(SessionId::from_bytes([0; 16]), Secret::from_bytes([0; 16]))
}

fn set(config: &CookieConfig) -> String {
    let value = config.set(&token(), HOUR);
    assert!(value.is_sensitive());
    value.to_str().unwrap().replace(&token().expose(), "T")
}

fn refused(builder: CookieBuilder) -> CookieError {
    builder.build().unwrap_err()
}

#[test]
fn the_default_is_as_promised() {
    // OW-6, CK-8
    let config = CookieConfig::default();
    assert_eq!(
        set(&config),
        "__Host-session=T; HttpOnly; Secure; SameSite=Lax; Path=/"
    );
    assert_eq!(config, CookieConfig::builder().build().unwrap());
}

#[test]
fn clearing_has_the_attributes_of_setting() {
    // CK-7
    let config = CookieConfig::builder()
        .name("__Secure-id")
        .domain("example.com")
        .path("/app")
        .same_site(SameSite::None)
        .partitioned(true)
        .persistent(true)
        .build()
        .unwrap();
    let attributes =
        "; HttpOnly; Secure; SameSite=None; Path=/app; Domain=example.com; Partitioned";
    assert_eq!(
        set(&config),
        format!("__Secure-id=T{attributes}; Max-Age=3600")
    );
    assert_eq!(
        config.clear().to_str().unwrap(),
        format!("__Secure-id={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    );
}

#[test]
fn a_persistent_cookie_lives_as_long_as_its_session_at_most_400_days() {
    // CK-5
    let config = CookieConfig::builder().persistent(true).build().unwrap();
    let age = |lifetime| {
        let value = config.set(&token(), lifetime);
        value
            .to_str()
            .unwrap()
            .rsplit_once("Max-Age=")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(age(HOUR), "3600");
    assert_eq!(age(Duration::MAX), "34560000");
    assert_eq!(age(Duration::ZERO), "1");
}

#[test]
fn names_are_tokens_that_fit() {
    // CK-1, CK-3, CK-16
    for name in ["", "a b", "a=b", "a;b", "a\n", "ä", "\"a\"", "a,b", "a\\"] {
        assert_eq!(
            refused(CookieConfig::builder().name(name)),
            CookieError::Name,
            "{name:?}"
        );
    }
    assert_eq!(
        refused(CookieConfig::builder().name("a".repeat(4054))),
        CookieError::TooLong
    );
    let longest = CookieConfig::builder()
        .name("a".repeat(4053))
        .build()
        .unwrap();
    let value = longest.set(&token(), HOUR);
    let pair = value.to_str().unwrap().split(';').next().unwrap();
    assert_eq!(pair.len() - 1, 4096);
}

#[test]
fn prefixes_are_kept_and_look_alikes_refused() {
    // CK-8, CK-9
    let named = |name: &str| CookieConfig::builder().name(name);
    for prefix in ["__Host-", "__Secure-", "__Http-", "__Host-Http-"] {
        let name = format!("{prefix}s");
        assert!(named(&name).build().is_ok());
        assert_eq!(
            refused(named(&name).secure(false)),
            CookieError::PrefixNeedsSecure(prefix)
        );
        assert_eq!(
            refused(named(&name.to_lowercase())),
            CookieError::Prefix(prefix)
        );
    }
    for prefix in ["__Host-", "__Host-Http-"] {
        let name = format!("{prefix}s");
        assert_eq!(
            refused(named(&name).path("/a")),
            CookieError::PrefixNeedsRootPath(prefix)
        );
        assert_eq!(
            refused(named(&name).domain("a.example")),
            CookieError::PrefixForbidsDomain(prefix)
        );
    }
    for prefix in ["__Http-", "__Host-Http-"] {
        let name = format!("{prefix}s");
        assert_eq!(
            refused(named(&name).http_only(false)),
            CookieError::PrefixNeedsHttpOnly(prefix)
        );
    }
}

#[test]
fn attributes_that_browsers_would_ignore_are_refused() {
    // CK-4, CK-10, CK-11, CK-16
    let builder = || CookieConfig::builder().name("s");
    for domain in [
        "",
        ".a.example",
        "a..b",
        "A.example",
        "a;b",
        "a b",
        "127.0.0.1",
        "-a.example",
        "a\r\nb",
    ] {
        assert_eq!(
            refused(builder().domain(domain)),
            CookieError::Domain,
            "{domain:?}"
        );
    }
    let long = vec!["abc"; 257].join(".");
    assert_eq!(refused(builder().domain(long)), CookieError::Domain);
    for path in ["", "a", "/a;b", "/a\nb", "/ä", "/a "] {
        assert_eq!(refused(builder().path(path)), CookieError::Path, "{path:?}");
    }
    assert_eq!(
        refused(builder().path(format!("/{}", "a".repeat(1024)))),
        CookieError::Path
    );
    let none = builder().secure(false).same_site(SameSite::None);
    assert_eq!(refused(none), CookieError::NoneNeedsSecure);
    assert_eq!(
        refused(builder().secure(false).partitioned(true)),
        CookieError::PartitionedNeedsSecure
    );
    assert_eq!("laxx".parse::<SameSite>(), Err(CookieError::SameSite));
    assert_eq!("strict".parse::<SameSite>(), Ok(SameSite::Strict));
}

#[test]
fn name_and_secure_follow_the_public_url() {
    let of =
        |url: &str| CookieConfig::for_origin(&Url::parse(url).unwrap()).map(|config| set(&config));
    assert_eq!(
        of("https://example.com/app").unwrap(),
        set(&CookieConfig::default())
    );
    for url in [
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://[::1]:80",
        "http://a.localhost",
    ] {
        assert_eq!(
            of(url).unwrap(),
            "session=T; HttpOnly; SameSite=Lax; Path=/",
            "{url}"
        );
    }
    for url in [
        "http://example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "ftp://localhost",
    ] {
        assert_eq!(of(url).unwrap_err(), CookieError::InsecureOrigin, "{url}");
    }
}

proptest! {
    /// Whatever is configured: refused, or a Set-Cookie of the strict grammar with no attribute twice (CK-1, CK-2).
    #[test]
    fn what_builds_is_of_the_strict_grammar(
        name in ".{0,12}", domain in proptest::option::of(".{0,12}"), path in ".{0,12}",
        secure: bool, http_only: bool, partitioned: bool, persistent: bool,
    ) {
        let mut builder = CookieConfig::builder()
            .name(name).path(path).secure(secure).http_only(http_only).partitioned(partitioned).persistent(persistent);
        if let Some(domain) = domain {
            builder = builder.domain(domain);
        }
        let Ok(config) = builder.build() else { return Ok(()) };
        for value in [config.set(&token(), HOUR), config.clear()] {
            let text = value.to_str().unwrap();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(config.is_set_by(&value));
            let mut names: Vec<_> = text.split("; ").skip(1).map(|part| part.split('=').next().unwrap()).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), all);
        }
    }
}
