//! Small numbers in few bytes, for [`super::packed`].

use crate::record::DecodeError;

/// Least width of a number that is changed in place.
const PAD: usize = 4;

pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// LEB128.
    pub(super) fn uint(&mut self, value: u64) {
        self.padded(value, 1);
    }

    /// LEB128 of at least four bytes, so that it can grow to 2^28 where it stands.
    pub(super) fn counter(&mut self, value: u64) {
        self.padded(value, PAD);
    }

    fn padded(&mut self, mut value: u64, least: usize) {
        for width in 1.. {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 && width >= least {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    /// A distance in either direction; near ones are short.
    pub(super) fn delta(&mut self, value: i64, from: i64) {
        let value = value.wrapping_sub(from);
        self.uint(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.uint(value.len() as u64);
        self.bytes(value.as_bytes());
    }
}

#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn uint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Damaged("a number"))
    }

    pub(super) fn delta(&mut self, from: i64) -> Result<i64, DecodeError> {
        let value = self.uint()?;
        Ok(((value >> 1) as i64 ^ -((value & 1) as i64)).wrapping_add(from))
    }

    pub(super) fn len(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.uint()?).map_err(|_| SHORT)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = self.len()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::Damaged("a text"))
    }
}

const SHORT: DecodeError = DecodeError::Damaged("its length");
