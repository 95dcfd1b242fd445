//! A transaction that was begun: runs statements, notes what their failures call for, and ends it.

use std::sync::Arc;

use cloakroom_core::store::StoreError;
use cloakroom_core::{SessionId, Timestamp};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, Value};

use super::super::verbs::tx::Pair;
use super::error::{Remedy, of_mysql, remedy};
use super::link::{Lease, Shared};
use super::values::{params, take, take_id};

/// See the module.
pub(super) struct Rows {
    pub(super) shared: Arc<Shared>,
    lease: Lease,
    /// What the failure that there was, if there was one, calls for.
    remedy: Remedy,
    pub(super) cap: Timestamp,
}

/// What is left after a transaction.
pub(super) struct Ended {
    pub(super) lease: Lease,
    /// It was rolled back for another one, and may be tried again.
    pub(super) again: bool,
    /// The counter of the latest hard cap has reached this.
    pub(super) cap: Timestamp,
}

pub(super) const READING: &str = "reading the database";
pub(super) const WRITING: &str = "writing to the database";

pub(super) type Ids = Result<Vec<SessionId>, StoreError>;

impl Rows {
    pub(super) fn new(shared: Arc<Shared>, lease: Lease) -> Self {
        Self {
            cap: shared.known_cap(),
            shared,
            lease,
            remedy: Remedy::None,
        }
    }

    /// Commits, or rolls back.
    pub(super) async fn end(mut self, keep: bool) -> Result<Ended, Error> {
        if self.remedy == Remedy::Reconnect {
            return Err(Error::Driver(DriverError::ConnectionClosed));
        }
        let keep = keep && self.remedy == Remedy::None;
        let end = if keep { "COMMIT" } else { "ROLLBACK" };
        if let Err(error) = self.conn().query_drop(end).await {
            if remedy(&error) != Remedy::Again {
                return Err(error);
            }
            self.remedy = Remedy::Again;
        }
        Ok(Ended {
            lease: self.lease,
            again: self.remedy == Remedy::Again,
            cap: self.cap,
        })
    }

    pub(super) fn conn(&mut self) -> &mut Conn {
        &mut self.lease.conn
    }

    pub(super) fn failed(&mut self, error: Error, what: &'static str) -> StoreError {
        self.remedy = remedy(&error);
        of_mysql(error, what)
    }

    pub(super) async fn all(
        &mut self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<mysql_async::Row>, StoreError> {
        let rows = self.conn().exec(sql, params(values)).await;
        rows.map_err(|error| self.failed(error, READING))
    }

    pub(super) async fn run(&mut self, sql: &str, values: Vec<Value>) -> Result<usize, StoreError> {
        match self.conn().exec_drop(sql, params(values)).await {
            Ok(()) => Ok(usize::try_from(self.conn().affected_rows()).unwrap_or(usize::MAX)),
            Err(error) => Err(self.failed(error, WRITING)),
        }
    }

    pub(super) async fn pairs(
        &mut self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Pair>, StoreError> {
        let rows = self.all(sql, values).await?;
        let pair = |mut row| Ok((take(&mut row, 0)?, take(&mut row, 1)?));
        rows.into_iter().map(pair).collect()
    }

    pub(super) async fn id_list(&mut self, sql: &str, values: Vec<Value>) -> Ids {
        let rows = self.all(sql, values).await?;
        rows.into_iter()
            .map(|mut row| take_id(&mut row, 0))
            .collect()
    }
}
