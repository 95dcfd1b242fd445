//! Values on the wire.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use cloakroom_core::store::StoreError;
use cloakroom_core::{SessionId, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::seal::damaged;

/// Bytes that are not shown: the client library can be made to log what it sends.
pub(super) struct Hidden<'b>(pub(super) &'b [u8]);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl ToSql for Hidden<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    accepts!(BYTEA);
    to_sql_checked!();
}

/// What the server's clock showed: binary, so that no time zone has a say in it.
pub(super) struct ServerTime(pub(super) Timestamp);

impl<'r> FromSql<'r> for ServerTime {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        /// 2000-01-01, from which PostgreSQL counts.
        const BEGIN: i64 = 946_684_800_000;
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(Timestamp::from_millis(
            micros.div_euclid(1000).saturating_add(BEGIN),
        )))
    }

    accepts!(TIMESTAMPTZ);
}

/// `time` as much later, or earlier, as tests want it.
pub(super) fn shifted(time: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_add(by))
}

/// A column of a row. One of another type is not of a table that we made.
pub(super) fn column<'r, T: FromSql<'r>>(
    row: &'r Row,
    index: usize,
    what: &'static str,
) -> Result<T, StoreError> {
    row.try_get(index)
        .map_err(|error| damaged(what).because(error))
}

/// A session id in a column.
pub(super) fn id(bytes: &[u8], what: &'static str) -> Result<SessionId, StoreError> {
    let bytes = bytes.try_into().map_err(|_| damaged(what))?;
    Ok(SessionId::from_bytes(bytes))
}

/// The only row of an answer.
pub(super) fn only<'r>(rows: &'r [Row], what: &'static str) -> Result<&'r Row, StoreError> {
    rows.first().ok_or_else(|| damaged(what))
}
