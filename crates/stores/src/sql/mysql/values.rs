//! Values and columns: how they go into statements and come out of rows.

use cloakroom_core::SessionId;
use cloakroom_core::store::StoreError;
use mysql_async::prelude::FromValue;
use mysql_async::{Params, Value};

use super::super::verbs::stored::{Row, Written};
use super::super::verbs::tx::Among;
use crate::seal::damaged;

/// The server's time in milliseconds since 1970, whatever its time zone; the parameter is the offset of tests.
macro_rules! now {
    () => {
        "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 + ?)"
    };
}
pub(super) use now;

/// Values for the places of a statement.
pub(super) fn params(values: Vec<Value>) -> Params {
    if values.is_empty() {
        Params::Empty
    } else {
        Params::Positional(values)
    }
}

/// A column of a row.
pub(super) fn take<T: FromValue>(
    row: &mut mysql_async::Row,
    column: usize,
) -> Result<T, StoreError> {
    match row.take_opt(column) {
        Some(Ok(value)) => Ok(value),
        // Its text could show what is stored.
        Some(Err(_)) | None => Err(damaged("reading a column")),
    }
}

pub(super) fn take_id(row: &mut mysql_async::Row, column: usize) -> Result<SessionId, StoreError> {
    let id: Vec<u8> = take(row, column)?;
    let id = id.try_into().map_err(|_| damaged("reading a session id"))?;
    Ok(SessionId::from_bytes(id))
}

pub(super) fn limit(limit: usize) -> Value {
    // What goes beyond is not asked for by anybody.
    Value::UInt(limit.min(1 << 40) as u64)
}

/// `(?, ?, …)` for these, in one of few lengths, so that few statements are prepared; the last one stands in again.
pub(super) fn list(values: impl ExactSizeIterator<Item = Value>) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = values.collect();
    let len = values.len().next_power_of_two();
    let last = values.last().cloned().unwrap_or(Value::NULL);
    values.resize(len, last);
    let places = vec!["?"; len].join(",");
    (format!("({places})"), values)
}

pub(super) fn behind(after: Option<SessionId>) -> Value {
    after.map_or_else(|| Value::Bytes(Vec::new()), |id| bytes(id.as_bytes()))
}

pub(super) fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

pub(super) fn maybe(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::NULL, |bytes| Value::Bytes(bytes.to_vec()))
}

/// The condition for `among` on `cloakroom_sessions`, and its values.
pub(super) fn condition(among: Among<'_>) -> (&'static str, Vec<Value>) {
    match among {
        Among::Everything => ("", Vec::new()),
        Among::App(app) => (" AND app = ?", vec![bytes(app.as_str().as_bytes())]),
        Among::Subject(subject) => (" AND subject = ?", vec![bytes(subject.as_str().as_bytes())]),
        Among::Exactly(subject, app) => (
            " AND subject = ? AND app <=> ?",
            vec![
                bytes(subject.as_str().as_bytes()),
                maybe(app.map(|app| app.as_str().as_bytes())),
            ],
        ),
    }
}

/// The columns of an insert, in the order of the table without the touch.
pub(super) fn columns(row: &Written<'_>) -> Vec<Value> {
    vec![
        bytes(row.id.as_bytes()),
        row.version.into(),
        row.security.into(),
        row.due.into(),
        maybe(row.subject),
        maybe(row.app),
        bytes(&row.record),
    ]
}

/// The columns id, subject, app, record and touch, which stand first.
pub(super) fn take_row(row: &mut mysql_async::Row) -> Result<Row, StoreError> {
    Ok(Row {
        id: take_id(row, 0)?,
        subject: take(row, 1)?,
        app: take(row, 2)?,
        record: take(row, 3)?,
        touch: take(row, 4)?,
    })
}
