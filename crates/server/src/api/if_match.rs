//! `If-Match` (RFC 9110 section 13.1.1): the versions that a change is meant for.

use crate::http::{Answer, Problem, problems};
use http::{HeaderMap, header};

/// What a request says about the version it changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Nothing, or `*`.
    Any,
    /// One of these. A tag that no version of ours has is in none of them.
    OneOf(Vec<u64>),
}

impl IfMatch {
    /// Reads the header, which may stand several times.
    pub(super) fn of(headers: &HeaderMap) -> Answer<Self> {
        let wrong = || {
            Problem::new(&problems::MALFORMED_REQUEST)
                .detail("If-Match must be a quoted version, such as \"3\"")
        };
        let mut lines = Vec::new();
        for value in headers.get_all(header::IF_MATCH) {
            lines.push(value.to_str().map_err(|_| wrong())?.trim());
        }
        if lines.is_empty() || lines == ["*"] {
            return Ok(Self::Any);
        }
        let mut versions = Vec::new();
        for tag in lines.iter().flat_map(|line| line.split(',')).map(str::trim) {
            // A weak tag matches nothing here (RFC 9110 section 8.8.3.2), but it is well-formed.
            let strong = tag.strip_prefix("W/").unwrap_or(tag);
            let opaque = strong
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .filter(|opaque| !opaque.contains('"'))
                .ok_or_else(wrong)?;
            if strong.len() == tag.len() {
                versions.extend(
                    opaque
                        .parse::<u64>()
                        .ok()
                        .filter(|n| n.to_string() == opaque),
                );
            }
        }
        Ok(Self::OneOf(versions))
    }

    /// The version to insist on, of a session that is at `present` now.
    ///
    /// # Errors
    /// 412 where it is at none of those.
    pub(super) fn pick(&self, present: u64) -> Answer<Option<u64>> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(versions) if versions.contains(&present) => Ok(Some(present)),
            Self::OneOf(_) => {
                Err(Problem::new(&problems::VERSION_MISMATCH).with("version", present))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[&str]) -> Answer<IfMatch> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_str(line).unwrap());
        }
        IfMatch::of(&headers)
    }

    #[test]
    fn tags_are_read_as_the_rfc_says() {
        for (lines, versions) in [
            (&["\"3\""][..], &[3][..]),
            (&["\"3\", \"4\"", "\"5\""], &[3, 4, 5]),
            (&["W/\"3\""], &[]),
            (&["\"abc\""], &[]),
            (&["\"03\""], &[]),
        ] {
            assert_eq!(
                read(lines).unwrap(),
                IfMatch::OneOf(versions.to_vec()),
                "{lines:?}"
            );
        }
        assert_eq!(read(&[]).unwrap(), IfMatch::Any);
        assert_eq!(read(&["*"]).unwrap(), IfMatch::Any);
        for lines in [
            &["3"][..],
            &[""],
            &["\"3"],
            &["*", "\"3\""],
            &["\"3\" \"4\""],
        ] {
            assert!(read(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn a_version_that_is_not_there_is_412() {
        let wanted = read(&["\"3\", \"4\""]).unwrap();
        assert_eq!(wanted.pick(4).unwrap(), Some(4));
        assert_eq!(
            wanted.pick(5).unwrap_err().kind(),
            &problems::VERSION_MISMATCH
        );
        assert!(read(&["W/\"5\""]).unwrap().pick(5).is_err());
    }
}
