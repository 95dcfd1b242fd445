//! Rules that look at more than one value, and ranges. Every refusal names the key and the place.

use super::{Config, ConfigError, Layers, Listen, Period, Size};
use std::ops::RangeInclusive;

/// The longest life of a cookie that browsers accept (CK-5); no session needs more either.
const LONGEST: Period = Period::seconds(400 * 24 * 3600);

/// Two years, what the lists that browsers ship ask for.
const LONGEST_HSTS: Period = Period::seconds(730 * 24 * 3600);

/// Checks what the types could not.
///
/// # Errors
/// The first rule that is broken.
pub(super) fn check(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    server(config, layers)?;
    ranges(config, layers)?;
    store(config, layers)?;
    let name = config.cookie.name.as_deref().unwrap_or_default();
    if let Some((field, why)) = config.cookie.fault(name, &config.server) {
        return Err(layers.fail(&format!("cookie.{field}"), why));
    }
    for (i, rule) in config.access.iter().enumerate() {
        if let Some((field, why)) = rule.fault() {
            return Err(layers.fail(&format!("access[{i}].{field}"), why));
        }
    }
    login(config, layers)?;
    keys(config, layers)?;
    let level = &config.log.level;
    crate::observe::parse_level(level)
        .map_err(|why| layers.fail("log.level", format!("`{level}`: {why}")))?;
    Ok(())
}

fn server(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    let server = &config.server;
    if let Some((key, why)) = server.tls_fault() {
        return Err(layers.fail(key, why));
    }
    match &server.public_url {
        None if !server.listen.is_local() && server.tls.is_none() => {
            let why = format!(
                "`{}` is neither https nor loopback: set server.public_url, the https address that browsers use, or server.tls",
                server.listen
            );
            return Err(layers.fail("server.listen", why));
        }
        Some(url)
            if !url.is_https() && !url.is_loopback() && !server.dangerously_allow_plain_http =>
        {
            let why = format!(
                "`{url}` is plain http to another machine, where anybody between can read session tokens: use https"
            );
            return Err(layers.fail("server.public_url", why));
        }
        _ => {}
    }
    let path = &server.base_path;
    if let Some(why) = base_path_fault(path) {
        return Err(layers.fail(
            "server.base_path",
            format!("`{path}` {why}; write /_auth, or leave it empty"),
        ));
    }
    if server.data_dir.as_os_str().is_empty() {
        return Err(layers.fail("server.data_dir", "is empty"));
    }
    if let Listen::Unix(path) = &server.listen
        && path.as_os_str().len() > 107
    {
        return Err(layers.fail(
            "server.listen",
            "the path of a unix socket has at most 107 bytes",
        ));
    }
    Ok(())
}

/// Paths that the server itself answers, outside of `base_path`.
const OWN_PATHS: [&str; 7] = [
    "/v1",
    "/oauth",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/.well-known",
];

fn base_path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return None;
    }
    let Some(rest) = path.strip_prefix('/') else {
        return Some("does not begin with a slash");
    };
    if path.ends_with('/') {
        return Some("ends with a slash");
    }
    let fine = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    if !rest.split('/').all(fine) {
        return Some("holds something else than letters, digits, - . _ ~ between slashes");
    }
    OWN_PATHS
        .iter()
        .any(|own| path == *own || path.starts_with(&format!("{own}/")))
        .then_some("is a path of the API")
}

fn ranges(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    server_ranges(config, &Ranges { layers })?;
    session_ranges(config, &Ranges { layers })?;
    people(config, &Ranges { layers })
}

fn server_ranges(config: &Config, within: &Ranges<'_>) -> Result<(), ConfigError> {
    let (server, second, hour) = (&config.server, Period::seconds(1), Period::seconds(3600));
    within.check(
        "server.request_body_limit",
        server.request_body_limit,
        Size::kib(1)..=Size::kib(64 * 1024),
    )?;
    within.check(
        "server.request_head_limit",
        server.request_head_limit,
        Size::kib(8)..=Size::kib(1024),
    )?;
    within.check("server.head_timeout", server.head_timeout, second..=hour)?;
    within.check(
        "server.request_timeout",
        server.request_timeout,
        second..=hour,
    )?;
    within.check(
        "server.drain_timeout",
        server.drain_timeout,
        Period::seconds(0)..=hour,
    )?;
    within.check(
        "server.max_connections",
        server.max_connections,
        1..=1_000_000,
    )?;
    if let Some(hsts) = server.hsts.on() {
        within.check("server.hsts", hsts, Period::seconds(0)..=LONGEST_HSTS)?;
    }
    if let Some(workers) = server.workers {
        within.check("server.workers", workers, 1..=1024)?;
    }
    Ok(())
}

fn session_ranges(config: &Config, within: &Ranges<'_>) -> Result<(), ConfigError> {
    let (session, second) = (&config.session, Period::seconds(1));
    within.check(
        "session.idle_timeout",
        session.idle_timeout,
        second..=LONGEST,
    )?;
    within.check(
        "session.absolute_timeout",
        session.absolute_timeout,
        second..=LONGEST,
    )?;
    if let Some(every) = session.touch_every.on() {
        within.check("session.touch_every", every, second..=session.idle_timeout)?;
    }
    if let Some(every) = session.renew_every.on() {
        within.check("session.renew_every", every, second..=LONGEST)?;
    }
    within.check(
        "session.renew_grace",
        session.renew_grace,
        Period::seconds(0)..=Period::seconds(300),
    )?;
    within.check(
        "session.max_per_subject",
        session.max_per_subject,
        1..=10_000,
    )?;
    within.check(
        "session.data_limit",
        session.data_limit,
        Size::bytes(64)..=Size::kib(8 * 1024),
    )
}

/// What guards the directory's people.
fn people(config: &Config, within: &Ranges<'_>) -> Result<(), ConfigError> {
    let argon2 = &config.argon2;
    within.check(
        "login.reauthenticate_after",
        config.login.reauthenticate_after,
        Period::seconds(0)..=Period::seconds(24 * 3600),
    )?;
    // Below 7 MiB and 1 pass a stolen hash is cheap to guess (OWASP's weakest profile is 7 MiB with 5 passes).
    within.check(
        "argon2.memory",
        argon2.memory,
        Size::kib(7 * 1024)..=Size::kib(4 * 1024 * 1024),
    )?;
    within.check("argon2.iterations", argon2.iterations, 1..=100)?;
    within.check("argon2.parallelism", argon2.parallelism, 1..=64)?;
    within.check("argon2.at_once", argon2.at_once.unwrap_or(1), 1..=64)
}

struct Ranges<'a> {
    layers: &'a Layers,
}

impl Ranges<'_> {
    fn check<T: PartialOrd + std::fmt::Display>(
        &self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), ConfigError> {
        if range.contains(&value) {
            return Ok(());
        }
        Err(self.layers.fail(
            key,
            format!(
                "{value} is out of range: {} to {}",
                range.start(),
                range.end()
            ),
        ))
    }
}

fn store(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    let Some(url) = &config.store.url else {
        return Ok(());
    };
    let given = ["store.url", "store.url_file"]
        .into_iter()
        .find(|key| layers.get(key).is_some());
    // The default is judged where it is opened: without the feature, other commands still work.
    if let (Some(key), Err(why)) = (given, url.expose().parse::<cloakroom::StoreUrl>()) {
        return Err(layers.fail(key, why.to_string()));
    }
    if config.server.ephemeral && ["embedded", "files", "sqlite"].contains(&url.scheme()) {
        return Err(layers.fail(
            "store.url",
            format!("`{url}` writes to disk, and --ephemeral forbids that"),
        ));
    }
    Ok(())
}

fn login(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    let Some(url) = &config.login.url else {
        return Ok(());
    };
    let plain = config.server.dangerously_allow_plain_http;
    let fault = match super::WebOrigin::of(url) {
        None => Some("must begin with https://"),
        Some(origin) if !origin.is_https() && !origin.is_loopback() && !plain => {
            Some("is plain http to another machine: use https")
        }
        Some(_) if url.fragment().is_some() => Some("has a fragment"),
        Some(_) if !url.username().is_empty() || url.password().is_some() => {
            Some("has a user name")
        }
        Some(_) => None,
    };
    fault.map_or(Ok(()), |why| {
        Err(layers.fail("login.url", format!("`{url}` {why}")))
    })
}

fn keys(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    let secret = config.keys.secret.as_ref();
    if secret.is_some_and(|secret| secret.base64_bytes().is_none()) {
        return Err(layers.fail("keys.secret", "is not 32 bytes in base64"));
    }
    let Some(key) = &config.bootstrap.api_key else {
        return Ok(());
    };
    if key.expose().len() < 32
        || key.expose().len() > 256
        || !key.expose().bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(layers.fail(
            "bootstrap.api_key",
            "is not 32 to 256 printable characters without spaces",
        ));
    }
    Ok(())
}
