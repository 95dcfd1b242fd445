//! The map of texts as bytes: lengths and what stands behind them (CBOR, RFC 8949 section 3).
//!
//! Every text was checked when it came in, and what comes from a store is checked whole by [`super::Data::decode`], with
//! `minicbor`. In between, lengths alone say where a text ends: a read or a change does not judge all texts again.

/// The first byte of a text, its length added.
pub(super) const TEXT: u8 = 0x60;
/// The first byte of a map, its length added.
pub(super) const MAP: u8 = 0xa0;

/// Takes the next text off.
pub(super) fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&first, after) = rest.split_first()?;
    let (len, after) = match first.checked_sub(TEXT)? {
        len @ 0..24 => (len.into(), after),
        24 => number::<1>(after)?,
        25 => number::<2>(after)?,
        26 => number::<4>(after)?,
        27 => number::<8>(after)?,
        _ => return None,
    };
    let (text, after) = after.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = after;
    Some(text)
}

fn number<const N: usize>(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, after) = bytes.split_first_chunk::<N>()?;
    let number = number
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((number, after))
}

/// Puts a length there, in its shortest form.
pub(super) fn put_head(out: &mut Vec<u8>, major: u8, len: usize) {
    let bytes = (len as u64).to_be_bytes();
    let (first, number) = match head_len(len) {
        1 => (major | bytes[7], &bytes[8..]),
        2 => (major | 24, &bytes[7..]),
        3 => (major | 25, &bytes[6..]),
        5 => (major | 26, &bytes[4..]),
        _ => (major | 27, &bytes[..]),
    };
    out.push(first);
    out.extend_from_slice(number);
}

/// Bytes that a length takes in its shortest form.
pub(super) fn head_len(len: usize) -> usize {
    match len as u64 {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use minicbor::Encoder;

    use super::*;

    #[test]
    fn lengths_are_those_of_the_library() {
        for len in [0, 1, 23, 24, 255, 256, 65_535, 65_536] {
            let text = "x".repeat(len);
            let mut encoder = Encoder::new(Vec::new());
            encoder.str(&text).expect("a vector takes everything");
            let theirs = encoder.into_writer();
            let mut ours = Vec::new();
            put_head(&mut ours, TEXT, len);
            assert_eq!(ours.len(), head_len(len));
            ours.extend_from_slice(text.as_bytes());
            assert_eq!(ours, theirs);
            let mut rest = &*theirs;
            assert_eq!(take_text(&mut rest), Some(text.as_bytes()));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_is_cut_off_is_no_text() {
        for mut bytes in [
            &[][..],
            &[0x61],
            &[0x78],
            &[0x78, 2, 0],
            &[0x7f],
            &[0x40],
            &[0x7b, 1],
        ] {
            assert_eq!(take_text(&mut bytes), None);
        }
    }
}
