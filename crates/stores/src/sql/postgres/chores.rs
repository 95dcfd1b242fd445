//! Touches and the sweep: what need not be durable at once.

use std::collections::HashSet;
use std::sync::Arc;

use cloakroom_core::store::{StoreError, Swept, SweptSession, Touched};
use cloakroom_core::{Activity, SessionId, Subject, Timestamp};
use tokio_postgres::types::ToSql;

use super::Shared;
use super::lane::somewhere_in;
use super::recent::Base;
use super::sessions::open;
use super::statements::Statement;
use super::touches::{Touch, WAIT};
use super::values::{Hidden, column, id, shifted};

/// Rows that one sweep looks at, so that it never holds up requests for long.
const SWEEP_MAX: usize = 1024;

impl Shared {
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
        let mut met = HashSet::with_capacity(rows.len());
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
