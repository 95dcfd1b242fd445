//! Small numbers in few bytes, for [`super::packed`].

use crate::record::DecodeError;

pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// LEB128.
    pub(super) fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A length of time in milliseconds, below 2^60 in either direction; whole seconds, as most are, take a byte less.
    pub(super) fn span(&mut self, millis: i64) {
        let whole = millis % 1000 == 0;
        let value = if whole { millis / 1000 } else { millis };
        self.uint(zigzag(value) << 1 | u64::from(whole));
    }

    /// A distance in either direction; near ones are short.
    pub(super) fn delta(&mut self, value: i64, from: i64) {
        self.uint(zigzag(value.wrapping_sub(from)));
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.uint(value.len() as u64);
        self.bytes(value.as_bytes());
    }
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
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
        Ok(unzigzag(self.uint()?).wrapping_add(from))
    }

    pub(super) fn span(&mut self) -> Result<i64, DecodeError> {
        let value = self.uint()?;
        let unit = if value & 1 == 1 { 1000 } else { 1 };
        Ok(unzigzag(value >> 1).wrapping_mul(unit))
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
