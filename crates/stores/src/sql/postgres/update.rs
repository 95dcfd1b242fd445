//! `update`: computed here, written where the row is still the one that it was computed from.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::store::{Expect, Refusal, StoreError, Updated};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::Shared;
use super::error::unavailable;
use super::lane::somewhere_in;
use super::recent::Base;
use super::sessions::{cap, limits};
use super::statements::Statement;
use super::values::{Hidden, column, only};
use crate::seal::damaged;
use crate::sql::row::{Columns, signed};

/// Tries on one and the same row before it is clear that its columns contradict its record.
const SAME_MAX: u32 = 4;
/// The pause after another node was faster.
const PAUSE: Duration = Duration::from_millis(4);

/// How a try ended.
enum Tried {
    Done(Updated),
    /// The row is not the one that the record was computed from.
    Stale,
}

impl Shared {
    pub(super) async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: &Change,
        limit: SubjectLimit,
    ) -> Result<Updated, StoreError> {
        let deadline = self.deadline();
        let work = async {
            let _turn = self.turns.wait(id).await;
            self.try_until_done(id, expect, change, limit, deadline)
                .await
        };
        let late = |_| unavailable("a session was written by too many at once");
        tokio::time::timeout_at(deadline, work)
            .await
            .map_err(late)?
    }

    async fn try_until_done(
        &self,
        id: SessionId,
        expect: Expect,
        change: &Change,
        limit: SubjectLimit,
        deadline: Instant,
    ) -> Result<Updated, StoreError> {
        // Only what fits is good enough to begin with; that something does not fit, the database has to say.
        let mut known = self
            .recent
            .get(id)
            .filter(|base| expect.holds(&base.record));
        let mut tried: Option<(u64, i64, u32)> = None;
        loop {
            let base = match known.take() {
                Some(base) => base,
                None => match self.fetch(id, deadline).await? {
                    Some(fetched) if !fetched.live => return Ok(Updated::Gone),
                    Some(fetched) if !expect.holds(&fetched.base.record) => {
                        return Ok(Updated::Conflict(fetched.loaded));
                    }
                    Some(fetched) => fetched.base,
                    None => return Ok(Updated::Gone),
                },
            };
            match self.try_on(&base, change, limit, deadline).await? {
                Tried::Done(answer) => return Ok(answer),
                Tried::Stale => self.recent.forget(id),
            }
            tried = Some(match tried {
                Some((version, crc, times))
                    if (version, crc) == (base.record.version, base.crc) =>
                {
                    (version, crc, times + 1)
                }
                _ => (base.record.version, base.crc, 1),
            });
            if tried.is_some_and(|(_, _, times)| times >= SAME_MAX) {
                return Err(damaged("a session's columns contradict its record"));
            }
            tokio::time::sleep(somewhere_in(PAUSE)).await;
        }
    }

    async fn try_on(
        &self,
        base: &Base,
        change: &Change,
        limit: SubjectLimit,
        deadline: Instant,
    ) -> Result<Tried, StoreError> {
        let mut before = Arc::clone(&base.record);
        // A touch that waits is written along.
        self.touches.fold(&mut before);
        let record = before.apply(change);
        if change.security.is_some() {
            self.login(base, record, change, limit, deadline).await
        } else {
            self.write(base, record, deadline).await
        }
    }

    async fn write(
        &self,
        base: &Base,
        record: Record,
        deadline: Instant,
    ) -> Result<Tried, StoreError> {
        const WHAT: &str = "changing a session";
        let columns = Columns::of(&record)?;
        let rows = self
            .writes
            .query(
                Statement::Update,
                &[
                    &Hidden(record.id.as_bytes()),
                    &signed(base.record.version)?,
                    &base.crc,
                    &columns.version,
                    &columns.crc,
                    &Hidden(&columns.record),
                    &columns.last_seen,
                    &columns.idle_deadline,
                    &self.options.offset(),
                ],
                WHAT,
                deadline,
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Tried::Stale);
        };
        let crc = columns.crc;
        let record = self.keep(record, crc, activity(row, 0, WHAT)?);
        let ended = Vec::new();
        Ok(Tried::Done(Updated::Done { record, ended }))
    }

    async fn login(
        &self,
        base: &Base,
        record: Record,
        change: &Change,
        limit: SubjectLimit,
        deadline: Instant,
    ) -> Result<Tried, StoreError> {
        const WHAT: &str = "changing who a session belongs to";
        let columns = Columns::of(&record)?;
        let (old, new) = (&base.record.security, &record.security);
        let joins = new.subject != old.subject || new.app != old.app;
        let limit = if joins { limit } else { SubjectLimit::NONE };
        let (max, deny) = limits(new.subject.as_ref(), limit);
        let rows = self
            .writes
            .query(
                Statement::Login,
                &[
                    &Hidden(record.id.as_bytes()),
                    &signed(base.record.version)?,
                    &base.crc,
                    &columns.version,
                    &columns.security_version,
                    &columns.admitted,
                    &columns.last_seen,
                    &columns.idle_deadline,
                    &change.activity.is_some(),
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
                deadline,
            )
            .await?;
        let row = only(&rows, WHAT)?;
        let refused = |refusal| Ok(Tried::Done(Updated::Refused(refusal)));
        match column::<i32>(row, 0, WHAT)? {
            0 => {
                let ended = self.ended(row, 1, WHAT)?;
                let crc = columns.crc;
                self.touches.forget(record.id);
                let record = self.keep(record, crc, activity(row, 2, WHAT)?);
                Ok(Tried::Done(Updated::Done { record, ended }))
            }
            1 => Ok(Tried::Stale),
            2 => refused(Refusal::Revoked),
            3 => refused(Refusal::TooManySessions),
            _ => Err(damaged(WHAT)),
        }
    }

    /// Remembers a record as it was written.
    pub(super) fn keep(&self, mut record: Record, crc: i64, activity: Activity) -> Arc<Record> {
        record.activity = activity;
        let record = Arc::new(record);
        self.recent.put(Base {
            record: Arc::clone(&record),
            crc,
            live: None,
        });
        record
    }
}

fn activity(row: &Row, first: usize, what: &'static str) -> Result<Activity, StoreError> {
    Ok(Activity {
        last_seen: Timestamp::from_millis(column(row, first, what)?),
        idle_deadline: Timestamp::from_millis(column(row, first + 1, what)?),
    })
}
