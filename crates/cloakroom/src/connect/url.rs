//! Reading a store URL.

use std::path::PathBuf;
use std::str::FromStr;

use cloakroom_core::store::memory::{Full, MIB};

/// Bytes that the memory store reserves where the URL does not say: 64 MiB.
const RESERVE: usize = 64 * MIB;

/// A store URL that was understood, of a store that this release has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// `memory:?reserve=64MiB&max_sessions=N&full=evict|reject`
    Memory {
        /// Bytes reserved beforehand, and never more.
        reserve: usize,
        /// How many sessions at most, besides the bytes.
        max_sessions: Option<usize>,
        /// What happens where it is full.
        full: Full,
    },
    /// `embedded:PATH`
    Embedded {
        /// The folder or file.
        path: PathBuf,
    },
}

/// What is wrong with a store URL. It names the part, never its value, which may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreUrlError {
    /// There is no `scheme:` in front.
    #[error("a store URL begins with its kind: memory:, embedded:PATH, …")]
    NoScheme,
    /// No store is called so.
    #[error("there is no store called {scheme:?}; there are memory, embedded")]
    Unknown {
        /// As it was given.
        scheme: String,
    },
    /// It exists, but not in this build.
    #[error("the {scheme} store is not compiled in: enable the feature {feature:?} of cloakroom")]
    NotCompiledIn {
        /// As it was given.
        scheme: String,
        /// What to enable.
        feature: &'static str,
    },
    /// It is planned, but this release does not have it.
    #[error("this release has no {scheme} store yet (it will be the feature {feature:?})")]
    NotYet {
        /// As it was given.
        scheme: String,
        /// What to enable then.
        feature: &'static str,
    },
    /// A store on disk needs to know where.
    #[error("embedded: needs a path behind it, such as embedded:./sessions")]
    NoPath,
    /// A parameter that this store does not have, or has twice.
    #[error("the store URL has an unknown or repeated parameter {0:?}")]
    Parameter(String),
    /// A parameter whose value cannot be read.
    #[error("the value of {parameter} must be {wanted}")]
    Value {
        /// Which.
        parameter: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(StoreUrlError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "memory" => memory(rest),
            "embedded" if !cfg!(feature = "embedded") => Err(StoreUrlError::NotCompiledIn {
                scheme,
                feature: "embedded",
            }),
            "embedded" if rest.is_empty() => Err(StoreUrlError::NoPath),
            // A path, not a URL: no query, no decoding, so that every file name can be said.
            "embedded" => Ok(Self::Embedded {
                path: PathBuf::from(rest),
            }),
            other => Err(match planned(other) {
                Some(feature) => StoreUrlError::NotYet { scheme, feature },
                None => StoreUrlError::Unknown { scheme },
            }),
        }
    }
}

fn planned(scheme: &str) -> Option<&'static str> {
    Some(match scheme {
        "files" => "files",
        "postgres" | "postgresql" => "postgres",
        "mysql" | "mariadb" => "mysql",
        "sqlite" => "sqlite",
        "redis" | "rediss" | "redis-cluster" | "redis-sentinel" => "redis",
        "cluster" => "cluster",
        "sealed" => "sealed",
        _ => return None,
    })
}

fn memory(rest: &str) -> Result<StoreUrl, StoreUrlError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(StoreUrlError::Parameter(path.to_owned()));
    }
    let (mut reserve, mut max_sessions, mut full) = (None, None, None);
    for (name, value) in ::url::form_urlencoded::parse(query.as_bytes()) {
        let fresh = match &*name {
            "reserve" => reserve.replace(size(&value)?).is_none(),
            "max_sessions" => max_sessions.replace(count(&value)?).is_none(),
            "full" => full.replace(when_full(&value)?).is_none(),
            _ => false,
        };
        if !fresh {
            return Err(StoreUrlError::Parameter(name.into_owned()));
        }
    }
    Ok(StoreUrl::Memory {
        reserve: reserve.unwrap_or(RESERVE),
        max_sessions,
        full: full.unwrap_or_default(),
    })
}

fn size(value: &str) -> Result<usize, StoreUrlError> {
    parse_size(value)
        .filter(|bytes| *bytes > 0)
        .ok_or(StoreUrlError::Value {
            parameter: "reserve",
            wanted: "a size such as 64MiB, 512KiB or 1GB",
        })
}

fn count(value: &str) -> Result<usize, StoreUrlError> {
    value
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or(StoreUrlError::Value {
            parameter: "max_sessions",
            wanted: "a number from 1 on",
        })
}

fn when_full(value: &str) -> Result<Full, StoreUrlError> {
    match value {
        "evict" => Ok(Full::Evict),
        "reject" => Ok(Full::Reject),
        _ => Err(StoreUrlError::Value {
            parameter: "full",
            wanted: "evict or reject",
        }),
    }
}

/// A number of bytes: `64MiB`, `64 MiB`, `512KiB`, `1GB`, `4096`. `KiB` counts by 1024, `kB` by 1000.
pub fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<StoreUrl, StoreUrlError> {
        text.parse()
    }

    #[test]
    fn memory_urls() {
        let memory = |reserve, max_sessions, full| {
            Ok(StoreUrl::Memory {
                reserve,
                max_sessions,
                full,
            })
        };
        assert_eq!(url("memory:"), memory(64 << 20, None, Full::Evict));
        let all = url("memory:?reserve=8MiB&max_sessions=1&full=reject");
        assert_eq!(all, memory(8 << 20, Some(1), Full::Reject));
        for wrong in [
            "memory:?reserve=1MiB&reserve=2MiB",
            "memory:?x=1",
            "memory:path",
        ] {
            assert!(
                matches!(url(wrong), Err(StoreUrlError::Parameter(_))),
                "{wrong}"
            );
        }
        for wrong in [
            "memory:?reserve=0",
            "memory:?reserve=1XB",
            "memory:?max_sessions=0",
            "memory:?full=maybe",
        ] {
            assert!(
                matches!(url(wrong), Err(StoreUrlError::Value { .. })),
                "{wrong}"
            );
        }
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn embedded_urls_are_paths() {
        let path = PathBuf::from("./a b?c=%41");
        assert_eq!(url("embedded:./a b?c=%41"), Ok(StoreUrl::Embedded { path }));
        assert_eq!(url("embedded:"), Err(StoreUrlError::NoPath));
    }

    #[test]
    fn what_is_not_there_says_so() {
        assert_eq!(url("nothing"), Err(StoreUrlError::NoScheme));
        assert_eq!(
            url("etcd://x"),
            Err(StoreUrlError::Unknown {
                scheme: "etcd".into()
            })
        );
        let error = url("postgres://user:secret@host/db").unwrap_err();
        assert!(error.to_string().contains("\"postgres\""));
        assert!(!error.to_string().contains("secret"));
        #[cfg(not(feature = "embedded"))]
        assert!(
            url("embedded:x")
                .unwrap_err()
                .to_string()
                .contains("feature \"embedded\"")
        );
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64 MiB"), Some(64 << 20));
        assert_eq!(parse_size("1kB"), Some(1000));
        assert_eq!(parse_size("4096"), Some(4096));
        for wrong in [
            "",
            "MiB",
            "-1",
            "1.5MiB",
            "99999999999999999999",
            "18446744073709551615KiB",
        ] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
