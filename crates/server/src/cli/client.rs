//! The HTTP client of commands, and whom it trusts.

use super::Failure;
use std::{path::Path, time::Duration};

/// How long a running server may take to answer a command.
const LIMIT: Duration = Duration::from_secs(60);

/// By what an https server must prove itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trust<'a> {
    /// Nothing: plain http, or a unix socket.
    Plain,
    /// A certificate that this system trusts, or where a file is given, one of its authorities and no other.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "read where https is spoken")
    )]
    Authorities(Option<&'a Path>),
    /// Any certificate. Only for a question without a secret whose answer is worth nothing to a liar: whether the
    /// server on this machine is ready, at an address that its certificate does not name.
    Anybody,
}

/// Finishes the client.
pub(super) fn build(
    builder: reqwest::ClientBuilder,
    trust: Trust<'_>,
) -> Result<reqwest::Client, Failure> {
    // A redirect could carry the API key elsewhere.
    let builder = builder
        .timeout(LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    secured(builder, trust)?.build().map_err(told)
}

#[cfg(feature = "tls")]
fn secured(
    builder: reqwest::ClientBuilder,
    trust: Trust<'_>,
) -> Result<reqwest::ClientBuilder, Failure> {
    Ok(match trust {
        // The system's store is not read where it is not needed: a small container has none.
        Trust::Plain => builder.tls_certs_only([]),
        Trust::Authorities(None) => builder,
        Trust::Authorities(Some(file)) => builder.tls_certs_only(authorities(file)?),
        Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
    })
}

#[cfg(not(feature = "tls"))]
fn secured(
    builder: reqwest::ClientBuilder,
    trust: Trust<'_>,
) -> Result<reqwest::ClientBuilder, Failure> {
    match trust {
        Trust::Plain => Ok(builder),
        Trust::Authorities(_) | Trust::Anybody => Err(Failure::Failed(
            "this build speaks no https: it was made without the feature `tls`".into(),
        )),
    }
}

#[cfg(feature = "tls")]
fn authorities(file: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let fail = |why: &str| Failure::Failed(format!("--ca-file: {}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| fail(&format!("cannot read: {error}")))?;
    let found = reqwest::Certificate::from_pem_bundle(&text).map_err(|_| fail("is broken PEM"))?;
    if found.is_empty() {
        return Err(fail("holds no certificate"));
    }
    Ok(found)
}

/// The innermost cause, which is the one that says something.
pub(super) fn told(error: reqwest::Error) -> Failure {
    let mut source: &dyn std::error::Error = &error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    Failure::Failed(format!("the server cannot be reached: {source}"))
}
