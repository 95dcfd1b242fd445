//! `create`, `load` and `delete`.

use std::sync::Arc;

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Created, Deleted, Loaded, Refusal, StoreError};
use cloakroom_core::{Record, SessionId, Subject, SubjectLimit};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::Shared;
use super::recent::{Base, Recent};
use super::statements::Statement;
use super::values::{Hidden, ServerTime, column, id, only, shifted};
use crate::seal::damaged;
use crate::sql::row::{Columns, Stored, unsigned};

/// A hard cap beyond this is never; the database adds to it.
const CAP_MAX: i64 = 1 << 60;

/// A session as read, and what is needed to judge it.
pub(super) struct Fetched {
    pub(super) base: Base,
    pub(super) loaded: Loaded,
    pub(super) live: bool,
}

/// The limit as a statement takes it: nothing where it does not apply.
pub(super) fn limits(subject: Option<&Subject>, limit: SubjectLimit) -> (Option<i64>, bool) {
    let max = limit.max.filter(|_| subject.is_some()).map(i64::from);
    (max, limit.on_full == OnFull::Deny)
}

/// The hard cap as a statement takes it.
pub(super) fn cap(columns: &Columns<'_>) -> i64 {
    columns.hard_cap.min(CAP_MAX)
}

/// The record in four columns from `first` on.
pub(super) fn open(row: &Row, first: usize, id: SessionId) -> Result<(Record, i64), StoreError> {
    const WHAT: &str = "reading a session record";
    let stored = Stored {
        record: column(row, first, WHAT)?,
        crc: column(row, first + 1, WHAT)?,
        last_seen: column(row, first + 2, WHAT)?,
        idle_deadline: column(row, first + 3, WHAT)?,
    };
    Ok((stored.open(id)?, stored.crc))
}

impl Shared {
    /// Reads a session, with the touch that waits for it.
    pub(super) async fn fetch(
        &self,
        id: SessionId,
        deadline: Instant,
    ) -> Result<Option<Fetched>, StoreError> {
        const WHAT: &str = "reading a session";
        let revocations = self.recent.revocations();
        let key = Hidden(id.as_bytes());
        let rows = self
            .reads
            .query_again(Statement::Load, &[&key], WHAT, deadline)
            .await?;
        let Some(row) = rows.first() else {
            self.recent.forget(id);
            return Ok(None);
        };
        let (record, crc) = open(row, 0, id)?;
        let mut record = Arc::new(record);
        self.touches.fold(&mut record);
        let ServerTime(server) = column(row, 4, WHAT)?;
        let not_before = Epoch(unsigned(column(row, 5, WHAT)?, WHAT)?);
        let now = shifted(server, self.options.offset());
        let live = now < record.deadline() && record.security.admitted >= not_before;
        let base = Base {
            record: Arc::clone(&record),
            crc,
            live: live.then(|| Recent::seen(server, revocations)),
        };
        self.recent.put(base.clone());
        Ok(Some(Fetched {
            base,
            loaded: Loaded {
                record,
                not_before,
                store_now: Some(now),
            },
            live,
        }))
    }

    pub(super) async fn create(
        &self,
        record: &Record,
        limit: SubjectLimit,
    ) -> Result<Created, StoreError> {
        const WHAT: &str = "keeping a session";
        let columns = Columns::of(record)?;
        let (max, deny) = limits(record.security.subject.as_ref(), limit);
        let rows = self
            .writes
            .query(
                Statement::Create,
                &[
                    &Hidden(record.id.as_bytes()),
                    &columns.version,
                    &columns.security_version,
                    &columns.admitted,
                    &columns.created_at,
                    &columns.last_seen,
                    &columns.idle_deadline,
                    &columns.fixed_deadline,
                    &columns.crc,
                    &columns.app.unwrap_or_default(),
                    &columns.subject.unwrap_or_default(),
                    &Hidden(&columns.record),
                    &cap(&columns),
                    &max,
                    &deny,
                    &self.options.offset(),
                    &self.channel,
                ],
                WHAT,
                self.deadline(),
            )
            .await?;
        let row = only(&rows, WHAT)?;
        // What was known under this id was of a session that is over.
        self.recent.forget(record.id);
        self.touches.forget(record.id);
        Ok(match column::<i32>(row, 0, WHAT)? {
            0 => Created::Done(self.ended(row, 1, WHAT)?),
            2 => Created::Refused(Refusal::Revoked),
            3 => Created::Refused(Refusal::TooManySessions),
            4 => Created::Exists,
            _ => return Err(damaged(WHAT)),
        })
    }

    /// Session ids in a column, which have ended.
    pub(super) fn ended(
        &self,
        row: &Row,
        index: usize,
        what: &'static str,
    ) -> Result<Vec<SessionId>, StoreError> {
        let ids: Vec<&[u8]> = column(row, index, what)?;
        let ids = ids.into_iter().map(|bytes| id(bytes, what));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        ids.iter().for_each(|id| self.gone(*id));
        Ok(ids)
    }

    /// Forgets a session that ended.
    pub(super) fn gone(&self, id: SessionId) {
        self.recent.forget(id);
        self.touches.forget(id);
    }

    pub(super) async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        const WHAT: &str = "ending a session";
        let key = Hidden(id.as_bytes());
        let rows = self
            .writes
            .query(
                Statement::Delete,
                &[&key, &self.channel],
                WHAT,
                self.deadline(),
            )
            .await?;
        let deleted = match rows.first() {
            // Where its record cannot be read, it has ended all the same.
            Some(row) => open(row, 0, id).map(|(record, _)| {
                let mut record = Arc::new(record);
                self.touches.fold(&mut record);
                Deleted::Done(record)
            }),
            None => Ok(Deleted::Absent),
        };
        self.gone(id);
        deleted
    }
}
