//! `create`, `load`, `delete`, touches and the sweep.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Created, Deleted, Loaded, Refusal, StoreError, Swept, SweptSession, Touched,
};
use cloakroom_core::{Activity, Record, SessionId, Subject, SubjectLimit, Timestamp};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Shared;
use super::lane::somewhere_in;
use super::recent::{Base, Recent};
use super::statements::Statement;
use super::touches::{AT_ONCE, Touch, WAIT};
use super::values::{Hidden, ServerTime, column, id, only, shifted};
use crate::seal::damaged;
use crate::sql::row::{Columns, Stored, unsigned};

/// Rows that one sweep looks at, so that it never holds up requests for long.
const SWEEP_MAX: usize = 1024;
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

    pub(super) async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
    ) -> Result<Touched, StoreError> {
        const WHAT: &str = "noting a use";
        if let Some(base) = self.recent.get(id)
            && let Some(server) = self.recent.believed(&base)
            && let now = shifted(server, self.options.offset())
            && self.touches.note(&base.record, activity, now)
        {
            self.touched.notify_one();
            return Ok(Touched::Done);
        }
        let rows = self
            .chores
            .query(
                Statement::Touch,
                &[
                    &Hidden(id.as_bytes()),
                    &activity.last_seen.as_millis(),
                    &activity.idle_deadline.as_millis(),
                    &self.options.offset(),
                ],
                WHAT,
                self.deadline(),
            )
            .await?;
        let Some(row) = rows.first() else {
            self.gone(id);
            return Ok(Touched::Gone);
        };
        let (record, crc) = open(row, 0, id)?;
        self.recent.put(Base {
            record: Arc::new(record),
            crc,
            live: None,
        });
        Ok(Touched::Done)
    }

    /// Writes every touch that waits, and makes those that were written durable.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        self.write_waiting().await?;
        self.writes
            .query(Statement::Settle, &[], "writing touches", self.deadline())
            .await?;
        Ok(())
    }

    async fn write_waiting(&self) -> Result<(), StoreError> {
        loop {
            let touches = self.touches.some();
            if touches.is_empty() {
                return Ok(());
            }
            self.write_some(&touches).await?;
        }
    }

    async fn write_some(&self, touches: &[(SessionId, Touch)]) -> Result<(), StoreError> {
        const WHAT: &str = "writing touches";
        let ids: Vec<_> = touches
            .iter()
            .map(|(id, _)| Hidden(id.as_bytes()))
            .collect();
        let number = |of: fn(&Touch) -> i64| touches.iter().map(|(_, t)| of(t)).collect::<Vec<_>>();
        let rows = self
            .chores
            .query(
                Statement::TouchMany,
                &[
                    &ids,
                    &number(|touch| touch.security.cast_signed()),
                    &number(|touch| touch.activity.last_seen.as_millis()),
                    &number(|touch| touch.activity.idle_deadline.as_millis()),
                ],
                WHAT,
                self.deadline(),
            )
            .await?;
        let mut met = std::collections::HashSet::with_capacity(rows.len());
        for row in &rows {
            met.insert(id(column(row, 0, WHAT)?, WHAT)?);
        }
        // The others have ended, or somebody was writing them just then.
        for (id, touch) in touches.iter().filter(|(id, _)| !met.contains(id)) {
            let one = [
                &Hidden(id.as_bytes()) as _,
                &touch.activity.last_seen.as_millis() as _,
                &touch.activity.idle_deadline.as_millis() as _,
                &self.options.offset() as _,
            ];
            self.chores
                .query(Statement::Touch, &one, WHAT, self.deadline())
                .await?;
        }
        self.touches.written(touches);
        Ok(())
    }

    pub(super) async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        const WHAT: &str = "sweeping";
        let offset = self.options.offset();
        let limit = limit.min(SWEEP_MAX);
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let ask = async |statement| {
            let values: &[&(dyn ToSql + Sync)] = &[&offset, &count];
            let rows = self.chores.query(statement, values, WHAT, self.deadline());
            Ok::<_, StoreError>(rows.await?)
        };
        let rows = ask(Statement::Sweep).await?;
        let mut swept = Swept {
            removed: Vec::new(),
            more: rows.len() == limit,
        };
        for row in &rows {
            if !column::<bool>(row, 3, WHAT)? {
                continue;
            }
            let id = id(column(row, 0, WHAT)?, WHAT)?;
            self.gone(id);
            swept.removed.push(SweptSession {
                id,
                subject: Subject::new(column::<&str>(row, 1, WHAT)?).ok(),
                deadline: Timestamp::from_millis(column(row, 2, WHAT)?),
            });
        }
        for statement in [
            Statement::SweepNotBefores,
            Statement::SweepReplays,
            Statement::SweepEntries,
        ] {
            swept.more |= ask(statement).await?.len() == limit;
        }
        Ok(swept)
    }
}

/// Writes touches as they come, many at a time.
pub(super) async fn write_touches(shared: Arc<Shared>) {
    loop {
        shared.touched.notified().await;
        tokio::time::sleep(WAIT).await;
        while let Err(error) = shared.write_waiting().await {
            // They wait in memory, and what is lost by that is bounded: see the margin.
            tracing::debug!(%error, "touches wait for the database");
            tokio::time::sleep(somewhere_in(WAIT)).await;
        }
    }
}

// A batch is small enough that its locks are held for a moment, also where the server is slow.
const _: () = assert!(AT_ONCE <= 1024 && WAIT.as_millis() < Duration::from_secs(2).as_millis());
