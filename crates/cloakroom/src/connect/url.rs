//! Reading a store URL.

use std::path::PathBuf;
use std::str::FromStr;

use cloakroom_core::store::memory::{Full, MIB};

use super::remote::{self, Remote};

/// Bytes that the memory store reserves where the URL does not say: 64 MiB.
const RESERVE: usize = 64 * MIB;

/// A store URL that was understood, of a store that this build has.
#[derive(Debug, Clone)]
pub struct StoreUrl {
    pub(super) kind: Kind,
    /// Bytes of hot records kept near, from `near_cache=SIZE`.
    pub(super) near_cache: Option<usize>,
}

/// Which store, and what its URL says.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// `memory:?reserve=64MiB&max_sessions=N&full=evict|reject`, or with `overflow=PATH` in place of `full`.
    Memory(Memory),
    /// `embedded:PATH`
    Embedded(PathBuf),
    /// Any other.
    Remote(Remote),
}

/// The memory store's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    /// Bytes reserved beforehand, and never more.
    pub(super) reserve: usize,
    /// How many sessions at most, besides the bytes.
    pub(super) max_sessions: Option<usize>,
    /// What happens where it is full.
    pub(super) full: Full,
    /// The folder where sessions go on for which there is no room.
    pub(super) overflow: Option<PathBuf>,
}

/// What is wrong with a store URL. It names the part, never its value, which may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreUrlError {
    /// There is no `scheme:` in front.
    #[error("a store URL begins with its kind: memory:, embedded:PATH, postgres://…")]
    NoScheme,
    /// No store is called so.
    #[error(
        "there is no store called {scheme:?}; there are memory, embedded, files, sqlite, postgres, mysql, redis, rediss, redis-cluster, redis-sentinel"
    )]
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
    /// What the store itself says of its URL.
    #[error("the {scheme} store: {why}")]
    Of {
        /// As it was given.
        scheme: String,
        /// Why.
        why: Box<str>,
    },
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(StoreUrlError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let here = |kind| {
            Ok(Self {
                kind,
                near_cache: None,
            })
        };
        match scheme.as_str() {
            "memory" => here(Kind::Memory(memory(rest)?)),
            "embedded" if !cfg!(feature = "embedded") => Err(StoreUrlError::NotCompiledIn {
                scheme,
                feature: "embedded",
            }),
            "embedded" if rest.is_empty() => Err(StoreUrlError::NoPath),
            // A path, not a URL: no query, no decoding, so that every file name can be said.
            "embedded" => here(Kind::Embedded(PathBuf::from(rest))),
            other => {
                let url = format!("{other}:{rest}");
                let (url, near_cache) = match other {
                    // A path as well, and on this machine's disk.
                    "sqlite" => (url, None),
                    _ => without_near_cache(&url)?,
                };
                match Remote::parse(other, &url) {
                    Some(remote) => Ok(Self {
                        kind: Kind::Remote(remote?),
                        near_cache,
                    }),
                    None => Err(match remote::planned(other) {
                        Some(feature) => StoreUrlError::NotYet { scheme, feature },
                        None => StoreUrlError::Unknown { scheme },
                    }),
                }
            }
        }
    }
}

/// Takes `near_cache=SIZE` out: it is about what stands before the store. All else stays as it was written.
fn without_near_cache(url: &str) -> Result<(String, Option<usize>), StoreUrlError> {
    // Behind the last `@`, because a password may have a `?`.
    let from = url.rfind('@').unwrap_or(0);
    let Some(mark) = url[from..].find('?').map(|mark| from + mark) else {
        return Ok((url.to_owned(), None));
    };
    let is_it = |pair: &&str| pair.split('=').next() == Some("near_cache");
    let (ours, others): (Vec<&str>, Vec<&str>) = url[mark + 1..].split('&').partition(is_it);
    let size = match ours[..] {
        [] => return Ok((url.to_owned(), None)),
        [one] => one.split_once('=').map_or("", |(_, value)| value),
        _ => return Err(StoreUrlError::Parameter("near_cache".to_owned())),
    };
    let bytes = parse_size(size).filter(|bytes| *bytes > 0);
    let bytes = bytes.ok_or(StoreUrlError::Value {
        parameter: "near_cache",
        wanted: SIZE,
    })?;
    let mut rest = url[..mark].to_owned();
    if !others.is_empty() {
        rest.push('?');
        rest.push_str(&others.join("&"));
    }
    Ok((rest, Some(bytes)))
}

/// What a size looks like.
const SIZE: &str = "a size such as 64MiB, 512KiB or 1GB";

fn memory(rest: &str) -> Result<Memory, StoreUrlError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(StoreUrlError::Parameter(path.to_owned()));
    }
    let (mut reserve, mut max_sessions, mut full, mut overflow) = (None, None, None, None);
    for (name, value) in ::url::form_urlencoded::parse(query.as_bytes()) {
        let fresh = match &*name {
            "reserve" => reserve.replace(size(&value)?).is_none(),
            "max_sessions" => max_sessions.replace(count(&value)?).is_none(),
            "full" => full.replace(when_full(&value)?).is_none(),
            "overflow" => overflow.replace(folder(&value)?).is_none(),
            _ => false,
        };
        if !fresh {
            return Err(StoreUrlError::Parameter(name.into_owned()));
        }
    }
    if full.is_some() && overflow.is_some() {
        return Err(StoreUrlError::Value {
            parameter: "full",
            wanted: "left out where there is an overflow: nothing is evicted or rejected then",
        });
    }
    Ok(Memory {
        reserve: reserve.unwrap_or(RESERVE),
        max_sessions,
        full: full.unwrap_or_default(),
        overflow,
    })
}

fn folder(value: &str) -> Result<PathBuf, StoreUrlError> {
    if !cfg!(feature = "embedded") {
        return Err(StoreUrlError::NotCompiledIn {
            scheme: "memory with overflow".to_owned(),
            feature: "embedded",
        });
    }
    let path = (!value.is_empty()).then(|| PathBuf::from(value));
    path.ok_or(StoreUrlError::Value {
        parameter: "overflow",
        wanted: "the path of a folder",
    })
}

fn size(value: &str) -> Result<usize, StoreUrlError> {
    parse_size(value)
        .filter(|bytes| *bytes > 0)
        .ok_or(StoreUrlError::Value {
            parameter: "reserve",
            wanted: SIZE,
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
            Ok(Memory {
                reserve,
                max_sessions,
                full,
                overflow: None,
            })
        };
        let read = |text: &str| match url(text)?.kind {
            Kind::Memory(memory) => Ok(memory),
            other => panic!("{other:?}"),
        };
        assert_eq!(read("memory:"), memory(64 << 20, None, Full::Evict));
        let all = read("memory:?reserve=8MiB&max_sessions=1&full=reject");
        assert_eq!(all, memory(8 << 20, Some(1), Full::Reject));
        for wrong in [
            "memory:?reserve=1MiB&reserve=2MiB",
            "memory:?x=1",
            "memory:path",
            "memory:?near_cache=1MiB",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(matches!(error, StoreUrlError::Parameter(_)), "{wrong}");
        }
        for wrong in [
            "memory:?reserve=0",
            "memory:?reserve=1XB",
            "memory:?max_sessions=0",
            "memory:?full=maybe",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(matches!(error, StoreUrlError::Value { .. }), "{wrong}");
        }
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn embedded_urls_are_paths() {
        let found = url("embedded:./a b?c=%41").unwrap().kind;
        assert!(matches!(found, Kind::Embedded(path) if path.as_os_str() == "./a b?c=%41"));
        assert_eq!(url("embedded:").unwrap_err(), StoreUrlError::NoPath);
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn an_overflow_is_a_folder_and_nothing_is_full_then() {
        let read = |text: &str| url(text).map(|url| url.kind);
        let Ok(Kind::Memory(memory)) = read("memory:?overflow=%2Fvar%2Ftmp%2Fx&reserve=1MiB")
        else {
            panic!("refused");
        };
        assert_eq!(memory.overflow, Some(PathBuf::from("/var/tmp/x")));
        for wrong in ["memory:?overflow=", "memory:?overflow=x&full=evict"] {
            assert!(
                matches!(read(wrong), Err(StoreUrlError::Value { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_not_there_says_so() {
        assert_eq!(url("nothing").unwrap_err(), StoreUrlError::NoScheme);
        assert_eq!(
            url("etcd://x").unwrap_err(),
            StoreUrlError::Unknown {
                scheme: "etcd".into()
            }
        );
        for (scheme, feature) in [
            ("embedded", "embedded"),
            ("files", "files"),
            ("postgres", "postgres"),
            ("mysql", "mysql"),
            ("sqlite", "sqlite"),
            ("redis-cluster", "redis"),
            ("sealed", "sealed"),
        ] {
            match url(&format!("{scheme}://user:hunter2@host/db?near_cache=1MiB")) {
                // It is compiled in.
                Ok(_) | Err(StoreUrlError::Of { .. }) => {}
                Err(error) => {
                    let told = error.to_string();
                    assert!(told.contains(&format!("feature {feature:?}")), "{told}");
                    assert!(!told.contains("hunter2"), "{told}");
                }
            }
        }
    }

    #[test]
    fn the_near_cache_is_taken_out() {
        for (url, rest, bytes) in [
            ("redis://h/0", "redis://h/0", None),
            ("redis://h/0?near_cache=1MiB", "redis://h/0", Some(1 << 20)),
            (
                "redis://h/?a=%26&near_cache=1kB&b=2",
                "redis://h/?a=%26&b=2",
                Some(1000),
            ),
            (
                "redis://u:p?near_cache=1@h/",
                "redis://u:p?near_cache=1@h/",
                None,
            ),
        ] {
            let taken = without_near_cache(url).unwrap();
            assert_eq!(taken, (rest.to_owned(), bytes), "{url}");
        }
        for wrong in [
            "?near_cache=0",
            "?near_cache",
            "?near_cache=1MiB&near_cache=2MiB",
        ] {
            assert!(
                without_near_cache(&format!("redis://h/{wrong}")).is_err(),
                "{wrong}"
            );
        }
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
