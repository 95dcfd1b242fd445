//! Finding one cookie in the `Cookie` header fields, without parsing the others (RFC 6265bis 5.8, CK-12 to CK-15).

use http::HeaderValue;
use memchr::{memchr, memchr_iter};

/// Bytes of all Cookie fields together beyond which they are not looked at: far more than any browser or common server
/// lets through (CK-15).
pub(crate) const COOKIE_BYTES_MAX: usize = 64 * 1024;

/// All the values a request has for one name in one transport, folded into what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values<'a> {
    /// There is none.
    None,
    /// There is one, perhaps several times.
    One(&'a [u8]),
    /// There are several that differ, or too much to look at.
    Several,
}

impl<'a> Values<'a> {
    pub(super) fn of(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut found = Self::None;
        for value in values {
            match found {
                Self::None => found = Self::One(value),
                Self::One(first) if first == value => {}
                // Order carries no meaning, so neither is the right one (CK-13).
                _ => return Self::Several,
            }
        }
        found
    }
}

/// The value of the cookie `name`. Several fields are the same as one that joins them (CK-12); values are taken as they
/// stand: no percent-decoding, quotes stay (CK-14); names are compared case-sensitively (CK-8).
pub(super) fn find<'a>(
    fields: impl IntoIterator<Item = &'a HeaderValue> + Copy,
    name: &str,
) -> Values<'a> {
    let bytes: usize = fields.into_iter().map(HeaderValue::len).sum();
    if bytes > COOKIE_BYTES_MAX {
        return Values::Several;
    }
    let pairs = fields.into_iter().flat_map(|field| pairs(field.as_bytes()));
    Values::of(pairs.filter_map(|pair| value_of(pair, name.as_bytes())))
}

fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr_iter(b';', field).chain([field.len()]);
    ends.map(move |end| &field[std::mem::replace(&mut start, end + 1)..end])
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // A pair without `=` is a nameless cookie: nobody's, and no reason to stumble.
    let equals = memchr(b'=', pair)?;
    let (before, after) = pair.split_at(equals);
    (trim(before) == name).then(|| trim(&after[1..]))
}

/// Without the optional white space of HTTP at both ends.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(fields: &[&[u8]]) -> Vec<HeaderValue> {
        fields
            .iter()
            .map(|field| HeaderValue::from_bytes(field).unwrap())
            .collect()
    }

    fn found(fields: &[&[u8]], name: &str) -> Option<Option<Vec<u8>>> {
        let fields = values(fields);
        match find(&fields, name) {
            Values::None => None,
            Values::One(value) => Some(Some(value.to_vec())),
            Values::Several => Some(None),
        }
    }

    fn one(value: &[u8]) -> Option<Option<Vec<u8>>> {
        Some(Some(value.to_vec()))
    }

    #[test]
    fn several_fields_are_the_same_as_one_joined() {
        // CK-12
        assert_eq!(found(&[b"a=1; id=x; b=2"], "id"), one(b"x"));
        assert_eq!(found(&[b"a=1", b"id=x", b"b=2"], "id"), one(b"x"));
        assert_eq!(found(&[b"id=x", b"id=y"], "id"), Some(None));
        assert_eq!(found(&[b"id=x; id=y"], "id"), Some(None));
    }

    #[test]
    fn two_values_are_none_and_the_same_twice_is_one() {
        // CK-13
        assert_eq!(found(&[b"id=x; id=x"], "id"), one(b"x"));
        assert_eq!(found(&[b"id=x; id=y; id=x"], "id"), Some(None));
        assert_eq!(found(&[b"id=x; id="], "id"), Some(None));
    }

    #[test]
    fn values_are_taken_as_they_stand() {
        // CK-14
        assert_eq!(found(&[b"id=%41"], "id"), one(b"%41"));
        assert_eq!(found(&[b"id=\"x\""], "id"), one(b"\"x\""));
        assert_eq!(found(&[b"id=a=b"], "id"), one(b"a=b"));
        assert_eq!(found(&[b"id"], "id"), None);
        assert_eq!(found(&[b"=id=x; ;;= ; id=y"], "id"), one(b"y"));
        assert_eq!(found(&[b"\xff\xfe=\x80; id=\xe9"], "id"), one(b"\xe9"));
        assert_eq!(found(&[b""], "id"), None);
        assert_eq!(found(&[b" id\t= x "], "id"), one(b"x"));
    }

    #[test]
    fn names_are_case_sensitive_and_whole() {
        // CK-8
        assert_eq!(found(&[b"__host-session=x"], "__Host-session"), None);
        assert_eq!(found(&[b"__Host-session2=x"], "__Host-session"), None);
        assert_eq!(found(&[b"x__Host-session=x"], "__Host-session"), None);
    }

    #[test]
    fn a_flood_of_cookies_is_not_looked_at() {
        // CK-15
        let flood = vec![b'a'; COOKIE_BYTES_MAX];
        assert_eq!(found(&[&flood, b"id=x"], "id"), Some(None));
    }

    proptest! {
        /// Whatever stands around it, a cookie is found exactly as it was sent.
        #[test]
        fn a_cookie_is_found_among_others(
            others in proptest::collection::vec("[a-hj-z]{1,6}=[a-zA-Z0-9%\"_ -]{0,12}", 0..20),
            at in any::<proptest::sample::Index>(),
            split in any::<proptest::sample::Index>(),
            value in "[A-Za-z0-9_-]{0,60}",
        ) {
            let mut pairs = others;
            pairs.insert(at.index(pairs.len() + 1), format!("id={value}"));
            let joined = pairs.join("; ");
            prop_assert_eq!(found(&[joined.as_bytes()], "id"), one(value.as_bytes()));
            let (left, right) = pairs.split_at(split.index(pairs.len() + 1));
            let (left, right) = (left.join("; "), right.join("; "));
            prop_assert_eq!(found(&[left.as_bytes(), right.as_bytes()], "id"), one(value.as_bytes()));
        }

        /// Any bytes that HTTP lets through: no panic, and never a value that was not there.
        #[test]
        fn arbitrary_bytes_are_survived(fields in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..200), 0..5,
        )) {
            let fields: Vec<_> = fields.iter().filter_map(|bytes| HeaderValue::from_bytes(bytes).ok()).collect();
            if let Values::One(value) = find(&fields, "s") {
                let there = fields.iter().any(|field| {
                    field.as_bytes().windows(value.len()).any(|window| window == value) || value.is_empty()
                });
                prop_assert!(there);
            }
        }
    }
}
