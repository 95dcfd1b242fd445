//! The stored form of a session: a head that scripts read, and the record as core encodes it.
//!
//! ```text
//!  0      a mark, which also numbers the form
//!  1..9   a token that every write draws anew: compare-and-set goes by it
//!  9..17  version of the security block
//! 17..25  when its proof was admitted
//! 25..33  when it ends regardless of use
//! 33..45  idle deadline and its checksum
//! 45..57  last use and its checksum
//! 57..61  checksum of the rest, with the id
//! 61..63  length of the owner, then the owner, then the record
//! ```
//!
//! Numbers are big-endian. A touch writes bytes 33 to 57 in place, so each of those times carries a checksum of its own.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::store::StoreError;
use cloakroom_core::{Activity, Record, SessionId, Timestamp};

use super::error::damaged;
use super::keys::Owner;

const MARK: u8 = 0xc1;
const HEAD: usize = 63;
const WHAT: &str = "reading a session record";

/// Names one write of a row.
pub(super) type Token = [u8; 8];

/// A record as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) token: Token,
    pub(super) record: Arc<Record>,
    pub(super) bytes: Bytes,
}

impl Row {
    /// The row of `record`, to be written.
    pub(super) fn seal(record: Arc<Record>, token: Token) -> Self {
        let owner = Owner::of(&record).bytes();
        let body = record.encode();
        let mut row = Vec::with_capacity(HEAD + owner.len() + body.len());
        row.push(MARK);
        row.extend_from_slice(&token);
        row.extend_from_slice(&record.security.version.to_be_bytes());
        row.extend_from_slice(&record.security.admitted.0.to_be_bytes());
        row.extend_from_slice(&record.expires_at().as_millis().to_be_bytes());
        let (idle, seen) = activity_bytes(record.id, record.activity);
        row.extend_from_slice(&idle);
        row.extend_from_slice(&seen);
        row.extend_from_slice(&[0; 4]);
        // An owner is two names of at most 255 bytes each.
        let length = u16::try_from(owner.len()).unwrap_or(u16::MAX);
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(&owner);
        row.extend_from_slice(&body);
        let sum = checksum(record.id, &row);
        row[57..61].copy_from_slice(&sum);
        Self {
            token,
            record,
            bytes: row.into(),
        }
    }

    /// Reads a row of the session `id`. `known` is one that was read before: where only times differ, it is not decoded
    /// again.
    pub(super) fn open(
        id: SessionId,
        bytes: Vec<u8>,
        known: Option<&Self>,
    ) -> Result<Self, StoreError> {
        if let Some(known) = known {
            if known.bytes == bytes {
                return Ok(known.clone());
            }
            if known.bytes.len() == bytes.len()
                && known.bytes[..33] == bytes[..33]
                && known.bytes[57..] == bytes[57..]
            {
                let mut record = (*known.record).clone();
                record.activity = activity_of(id, &bytes)?;
                return Ok(Self {
                    token: known.token,
                    record: Arc::new(record),
                    bytes: bytes.into(),
                });
            }
        }
        Self::decode(id, bytes.into())
    }

    fn decode(id: SessionId, bytes: Bytes) -> Result<Self, StoreError> {
        let whole =
            bytes.len() >= HEAD && bytes[0] == MARK && bytes[57..61] == checksum(id, &bytes);
        if !whole {
            return Err(damaged(WHAT));
        }
        let body = HEAD + usize::from(u16::from_be_bytes([bytes[61], bytes[62]]));
        if body > bytes.len() {
            return Err(damaged(WHAT));
        }
        let mut record = Record::decode(id, &bytes.slice(body..))?;
        record.activity = activity_of(id, &bytes)?;
        let mut token = Token::default();
        token.copy_from_slice(&bytes[1..9]);
        Ok(Self {
            token,
            record: Arc::new(record),
            bytes,
        })
    }

    /// This row with the times that a script answered.
    pub(super) fn with_times(mut self, times: &[u8]) -> Result<Self, StoreError> {
        if self.bytes[33..57] == *times {
            return Ok(self);
        }
        if times.len() != 24 {
            return Err(damaged(WHAT));
        }
        let mut bytes = self.bytes.to_vec();
        bytes[33..57].copy_from_slice(times);
        let id = self.record.id;
        Arc::make_mut(&mut self.record).activity = activity_of(id, &bytes)?;
        self.bytes = bytes.into();
        Ok(self)
    }
}

/// Everything but the two times, which a touch writes, and the place of the sum itself.
fn checksum(id: SessionId, row: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(id.as_bytes());
    hasher.update(&row[..33]);
    hasher.update(&row[61..]);
    hasher.finalize().to_be_bytes()
}

/// Idle deadline and last use, as they stand in a row.
pub(super) fn activity_bytes(id: SessionId, activity: Activity) -> ([u8; 12], [u8; 12]) {
    (
        time_bytes(id, activity.idle_deadline),
        time_bytes(id, activity.last_seen),
    )
}

fn time_bytes(id: SessionId, time: Timestamp) -> [u8; 12] {
    let time = time.as_millis().to_be_bytes();
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&time);
    bytes[8..].copy_from_slice(&time_sum(id, &time));
    bytes
}

fn time_sum(id: SessionId, time: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(id.as_bytes());
    hasher.update(time);
    hasher.finalize().to_be_bytes()
}

fn activity_of(id: SessionId, row: &[u8]) -> Result<Activity, StoreError> {
    let time = |at: usize| {
        let mut time = [0; 8];
        time.copy_from_slice(&row[at..at + 8]);
        if row[at + 8..at + 12] == time_sum(id, &time) {
            Ok(Timestamp::from_millis(i64::from_be_bytes(time)))
        } else {
            Err(damaged(WHAT))
        }
    };
    Ok(Activity {
        idle_deadline: time(33)?,
        last_seen: time(45)?,
    })
}
