//! A session's row: its record as bytes, and beside it the columns that a statement needs to find and judge it.
//!
//! The record decides; the columns repeat what a `WHERE` asks for. Only the two columns of the activity are ahead of
//! it: a touch writes them alone, so a reader puts them into the record ([`Stored::open`]).

use bytes::Bytes;
use cloakroom_core::store::{ErrorKind, StoreError};
use cloakroom_core::{Activity, Record, SessionId, Timestamp};

use crate::seal::{checksum, damaged};

/// What is written of a record. Numbers are signed because the databases' are; times are milliseconds since 1970.
pub(crate) struct Columns<'r> {
    pub(crate) version: i64,
    pub(crate) security_version: i64,
    pub(crate) admitted: i64,
    pub(crate) app: Option<&'r str>,
    pub(crate) subject: Option<&'r str>,
    pub(crate) created_at: i64,
    pub(crate) last_seen: i64,
    pub(crate) idle_deadline: i64,
    /// The earlier of absolute deadline and hard cap: no touch moves it.
    pub(crate) fixed_deadline: i64,
    /// Not kept in the row; the latest of all says how long a not-before has to stay.
    pub(crate) hard_cap: i64,
    /// [`Record::encode`]; not to be shown, since it holds hashes of secrets and the application's data.
    pub(crate) record: Bytes,
    /// [`checksum`] of id and record.
    pub(crate) crc: i64,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(record: &'r Record) -> Result<Self, StoreError> {
        let security = &record.security;
        let encoded = record.encode();
        Ok(Self {
            version: signed(record.version)?,
            security_version: signed(security.version)?,
            admitted: signed(security.admitted.0)?,
            app: security.app.as_ref().map(AsRef::as_ref),
            subject: security.subject.as_ref().map(AsRef::as_ref),
            created_at: security.created_at.as_millis(),
            last_seen: record.activity.last_seen.as_millis(),
            idle_deadline: record.activity.idle_deadline.as_millis(),
            fixed_deadline: record.expires_at().as_millis(),
            hard_cap: security.hard_cap.as_millis(),
            crc: i64::from(checksum(record.id.as_bytes(), &encoded)),
            record: encoded,
        })
    }
}

/// What is read of a record.
pub(crate) struct Stored<'r> {
    pub(crate) record: &'r [u8],
    pub(crate) crc: i64,
    pub(crate) last_seen: i64,
    pub(crate) idle_deadline: i64,
}

impl Stored<'_> {
    /// The record of `id`, with the activity that the columns have.
    pub(crate) fn open(&self, id: SessionId) -> Result<Record, StoreError> {
        if i64::from(checksum(id.as_bytes(), self.record)) != self.crc {
            return Err(damaged("reading a session record"));
        }
        let mut record = Record::decode(id, &Bytes::copy_from_slice(self.record))?;
        record.activity = Activity {
            last_seen: Timestamp::from_millis(self.last_seen),
            idle_deadline: Timestamp::from_millis(self.idle_deadline),
        };
        Ok(record)
    }
}

/// A counter as the databases have it.
pub(crate) fn signed(number: u64) -> Result<i64, StoreError> {
    let over = |_| StoreError::new(ErrorKind::Denied, "a counter is beyond what a column holds");
    i64::try_from(number).map_err(over)
}

/// A counter as it is read.
pub(crate) fn unsigned(number: i64, what: &'static str) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| damaged(what))
}
