//! The row of a session: how it is read and what is written.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::StoreError;
use cloakroom_core::{Record, SessionId, Timestamp};

use super::seal::{damaged, seal, take_time, take_u64, unseal};
use super::touches::Touch;
use super::tx::{Pair, Tx};

/// Bytes of data that a session holds at most.
pub(in crate::sql) const DATA_MAX: usize = 8 * 1024 * 1024;

/// A row as the database gives it.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Row {
    pub(in crate::sql) id: SessionId,
    pub(in crate::sql) subject: Option<Vec<u8>>,
    pub(in crate::sql) app: Option<Vec<u8>>,
    pub(in crate::sql) record: Vec<u8>,
    pub(in crate::sql) touch: Option<Vec<u8>>,
}

/// What is written of a record; a touch is in it, so that none is left beside it.
pub(in crate::sql) struct Written<'r> {
    pub(in crate::sql) id: SessionId,
    pub(in crate::sql) version: u64,
    pub(in crate::sql) security: u64,
    pub(in crate::sql) subject: Option<&'r [u8]>,
    pub(in crate::sql) app: Option<&'r [u8]>,
    /// Where it stands in the sweep's order: its deadline.
    pub(in crate::sql) due: i64,
    pub(in crate::sql) record: Vec<u8>,
}

impl<'r> Written<'r> {
    pub(in crate::sql) fn of(record: &'r Record) -> Self {
        let security = &record.security;
        Self {
            id: record.id,
            version: record.version,
            security: security.version,
            subject: security
                .subject
                .as_ref()
                .map(|name| name.as_str().as_bytes()),
            app: security.app.as_ref().map(|name| name.as_str().as_bytes()),
            due: record.deadline().as_millis(),
            record: seal(record.id.as_bytes(), &[&record.encode()]),
        }
    }
}

impl Row {
    /// The record, with its touch, and with `pending`, which is not yet written.
    pub(in crate::sql) fn decode(&self, pending: Option<Touch>) -> Result<Arc<Record>, StoreError> {
        const WHAT: &str = "reading a session record";
        let payload = unseal(self.id.as_bytes(), &self.record, WHAT)?;
        let mut record = Record::decode(self.id, &Bytes::copy_from_slice(payload))?;
        // By these columns it is found and revoked; they must be the record's own.
        let security = &record.security;
        let subject = security
            .subject
            .as_ref()
            .map(|name| name.as_str().as_bytes());
        let app = security.app.as_ref().map(|name| name.as_str().as_bytes());
        if self.subject.as_deref() != subject || self.app.as_deref() != app {
            return Err(damaged(WHAT));
        }
        if let Some(touch) = &self.touch {
            Touch::unseal(self.id, touch)?.fold(&mut record);
        }
        if let Some(touch) = pending {
            touch.fold(&mut record);
        }
        Ok(Arc::new(record))
    }
}

/// A not-before as stored under `key`: from which epoch on, and when it may be dropped.
pub(in crate::sql) fn decode_not_before(
    key: &[u8],
    value: &[u8],
) -> Result<(Epoch, Timestamp), StoreError> {
    const WHAT: &str = "reading a not-before";
    let mut payload = unseal(key, value, WHAT)?;
    let epoch = Epoch(take_u64(&mut payload, WHAT)?);
    Ok((epoch, take_time(&mut payload, WHAT)?))
}

/// The latest of the not-befores under `keys`.
pub(in crate::sql) async fn not_before<T: Tx>(
    tx: &mut T,
    keys: &[Vec<u8>],
) -> Result<Epoch, StoreError> {
    let found = tx.not_befores(keys).await?;
    latest(&found, keys)
}

/// The latest of those of `found` that stand under one of `keys`.
pub(in crate::sql) fn latest(found: &[Pair], keys: &[Vec<u8>]) -> Result<Epoch, StoreError> {
    let mut latest = Epoch::ZERO;
    for (key, value) in found.iter().filter(|(key, _)| keys.contains(key)) {
        latest = latest.max(decode_not_before(key, value)?.0);
    }
    Ok(latest)
}

/// A counter as stored; absent is zero.
pub(in crate::sql) fn decode_counter(name: &str, value: Option<&[u8]>) -> Result<u64, StoreError> {
    const WHAT: &str = "reading a counter";
    let Some(value) = value else {
        return Ok(0);
    };
    take_u64(&mut unseal(name.as_bytes(), value, WHAT)?, WHAT)
}

pub(in crate::sql) fn encode_counter(name: &str, value: u64) -> Vec<u8> {
    seal(name.as_bytes(), &[&value.to_be_bytes()])
}
