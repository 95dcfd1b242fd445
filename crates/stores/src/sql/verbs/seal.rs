//! How a stored value is sealed against damage: it starts with a CRC-32 of its key and itself.

use cloakroom_core::Timestamp;
use cloakroom_core::store::StoreError;

use crate::seal::checksum as crc;
pub(in crate::sql) use crate::seal::damaged;

const CRC: usize = 4;

/// `payload` behind a checksum over it and `key`, so that a value under a foreign key is damage too.
pub(in crate::sql) fn seal(key: &[u8], payload: &[&[u8]]) -> Vec<u8> {
    let len = payload.iter().map(|part| part.len()).sum::<usize>();
    let mut sealed = Vec::with_capacity(CRC + len);
    sealed.extend_from_slice(&[0; CRC]);
    for part in payload {
        sealed.extend_from_slice(part);
    }
    let crc = checksum(key, &sealed[CRC..]);
    sealed[..CRC].copy_from_slice(&crc);
    sealed
}

/// The payload of a sealed value.
pub(in crate::sql) fn unseal<'v>(
    key: &[u8],
    sealed: &'v [u8],
    what: &'static str,
) -> Result<&'v [u8], StoreError> {
    match sealed.split_at_checked(CRC) {
        Some((crc, payload)) if crc == checksum(key, payload) => Ok(payload),
        _ => Err(damaged(what)),
    }
}

fn checksum(key: &[u8], payload: &[u8]) -> [u8; CRC] {
    crc(key, payload).to_be_bytes()
}

/// Takes a big-endian number from the front of `payload`.
pub(in crate::sql) fn take_u64(payload: &mut &[u8], what: &'static str) -> Result<u64, StoreError> {
    let (number, rest) = payload.split_first_chunk().ok_or_else(|| damaged(what))?;
    *payload = rest;
    Ok(u64::from_be_bytes(*number))
}

/// Takes a time from the front of `payload`.
pub(in crate::sql) fn take_time(
    payload: &mut &[u8],
    what: &'static str,
) -> Result<Timestamp, StoreError> {
    let bits = take_u64(payload, what)?;
    Ok(Timestamp::from_millis(bits.cast_signed()))
}

/// A time as [`take_time`] reads it.
pub(in crate::sql) fn time_bytes(time: Timestamp) -> [u8; 8] {
    time.as_millis().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_under_a_foreign_key_is_damage() {
        let sealed = seal(b"one", &[b"value"]);
        assert_eq!(unseal(b"one", &sealed, "a test").unwrap(), b"value");
        assert!(unseal(b"two", &sealed, "a test").is_err());
        assert!(unseal(b"one", &sealed[..3], "a test").is_err());
    }

    #[test]
    fn times_come_back() {
        for millis in [i64::MIN, -1, 0, 1, i64::MAX] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(
                take_time(&mut &time_bytes(time)[..], "a test").unwrap(),
                time
            );
        }
    }
}
