//! The registry and the replay guard.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::Timestamp;
use cloakroom_core::store::{Entry, Expected, Kind, Put, StoreError};
use tokio_postgres::Row;

use super::Shared;
use super::lane::somewhere_in;
use super::notices::is_told;
use super::statements::Statement;
use super::values::{Hidden, column, only};
use crate::seal::{checksum, damaged};
use crate::sql::row::{signed, unsigned};

/// Rows that the count of a kind's writes is spread over.
const SLOTS: u32 = 16;
/// How often a watcher asks where nothing is told.
const POLL: Duration = Duration::from_secs(1);

/// One write to the registry.
pub(super) struct Write<'w> {
    pub(super) kind: Kind,
    pub(super) name: &'w str,
    pub(super) expected: Expected,
    pub(super) value: Option<Bytes>,
    pub(super) expires: Option<Timestamp>,
}

fn crc(kind: Kind, name: &[u8], value: &[u8]) -> i64 {
    let key = [kind.as_str().as_bytes(), b"\0", name, b"\0"].concat();
    i64::from(checksum(&key, value))
}

/// The entry in five columns.
fn entry(kind: Kind, row: &Row) -> Result<Entry, StoreError> {
    const WHAT: &str = "reading a registry entry";
    let name: &[u8] = column(row, 0, WHAT)?;
    from_columns(kind, name, row).map_err(|error| damaged(WHAT).because(error))
}

/// The entry in the columns from the second on.
fn from_columns(kind: Kind, name: &[u8], row: &Row) -> Result<Entry, StoreError> {
    const WHAT: &str = "reading a registry entry";
    let value: &[u8] = column(row, 2, WHAT)?;
    if column::<i64>(row, 3, WHAT)? != crc(kind, name, value) {
        return Err(damaged(WHAT));
    }
    let expires = Timestamp::from_millis(column(row, 4, WHAT)?);
    let name = std::str::from_utf8(name).map_err(|_| damaged(WHAT))?;
    Ok(Entry {
        name: name.into(),
        value: Bytes::copy_from_slice(value),
        version: unsigned(column(row, 1, WHAT)?, WHAT)?,
        expires: Some(expires).filter(|expires| *expires != Timestamp::NEVER),
    })
}

impl Shared {
    pub(super) async fn entry(&self, kind: Kind, name: &str) -> Result<Option<Entry>, StoreError> {
        let name = Hidden(name.as_bytes());
        let rows = self
            .reads
            .query_again(
                Statement::Get,
                &[&kind.as_str(), &name, &self.options.offset()],
                "reading the registry",
                self.deadline(),
            )
            .await?;
        rows.first().map(|row| entry(kind, row)).transpose()
    }

    pub(super) async fn entries(
        &self,
        kind: Kind,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = Hidden(after.as_bytes());
        let rows = self
            .chores
            .query_again(
                Statement::Entries,
                &[&kind.as_str(), &after, &self.options.offset(), &count],
                "listing the registry",
                self.deadline(),
            )
            .await?;
        rows.iter().map(|row| entry(kind, row)).collect()
    }

    pub(super) async fn put(&self, write: Write<'_>) -> Result<Put, StoreError> {
        const WHAT: &str = "writing the registry";
        let (mode, expected) = match write.expected {
            Expected::Absent => (0, 0),
            Expected::Version(version) => (1, signed(version)?),
            Expected::Anything => (2, 0),
        };
        let (kind, name) = (write.kind, write.name.as_bytes());
        let crc = crc(kind, name, write.value.as_deref().unwrap_or_default());
        let slot = (checksum(name, &[]) % SLOTS).cast_signed();
        let rows = self
            .writes
            .query(
                Statement::Put,
                &[
                    &kind.as_str(),
                    &Hidden(name),
                    &mode,
                    &expected,
                    &write.value.as_deref().map(Hidden),
                    &crc,
                    &write.expires.unwrap_or(Timestamp::NEVER).as_millis(),
                    &slot,
                    &self.options.offset(),
                    &is_told(kind).then_some(self.channel.as_str()),
                ],
                WHAT,
                self.deadline(),
            )
            .await?;
        let row = only(&rows, WHAT)?;
        let version: Option<i64> = column(row, 1, WHAT)?;
        match (column::<bool>(row, 0, WHAT)?, version) {
            (true, Some(version)) => Ok(Put::Done(unsigned(version, WHAT)?)),
            (false, Some(_)) => Ok(Put::Conflict(Some(from_columns(kind, name, row)?))),
            (false, None) => Ok(Put::Conflict(None)),
            (true, None) => Err(damaged(WHAT)),
        }
    }

    /// Told where the database tells, and asked for from time to time in any case: what tells may be silent.
    pub(super) async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        const WHAT: &str = "reading a revision";
        let mut told = self.notices.kind(kind);
        loop {
            told.borrow_and_update();
            let rows = self
                .reads
                .query_again(
                    Statement::Revision,
                    &[&kind.as_str()],
                    WHAT,
                    self.deadline(),
                )
                .await?;
            let revision: i64 = column(only(&rows, WHAT)?, 0, WHAT)?;
            let revision = unsigned(revision, WHAT)?;
            if revision > seen {
                return Ok(revision);
            }
            let _ = tokio::time::timeout(somewhere_in(POLL), told.changed()).await;
        }
    }

    pub(super) async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = self
            .writes
            .query(
                Statement::FirstSeen,
                &[&Hidden(key), &until.as_millis(), &self.options.offset()],
                "remembering a key",
                self.deadline(),
            )
            .await?;
        Ok(!rows.is_empty())
    }
}
