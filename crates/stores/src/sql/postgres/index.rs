//! The revocation clock, and listing sessions.

use std::sync::Arc;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Cursor, Listed, Scope, StoreError};
use tokio::time::Instant;

use super::Shared;
use super::sessions::open;
use super::statements::{Reach, Statement};
use super::values::{Hidden, column, id, only};
use crate::sql::row::unsigned;
use crate::sql::scope::ScopeKey;

/// Which index leads to the sessions of `scope`.
pub(super) fn reach(scope: &Scope) -> Reach {
    match scope {
        Scope::Everything => Reach::All,
        Scope::App(_) => Reach::App,
        Scope::Subject { app: None, .. } => Reach::Subject,
        Scope::Subject { .. } => Reach::SubjectInApp,
    }
}

impl Shared {
    pub(super) async fn epoch(&self) -> Result<Epoch, StoreError> {
        const WHAT: &str = "reading the revocation clock";
        let rows = self
            .reads
            .query_again(Statement::Epoch, &[], WHAT, self.deadline())
            .await?;
        let epoch: i64 = column(only(&rows, WHAT)?, 0, WHAT)?;
        Ok(Epoch(unsigned(epoch, WHAT)?))
    }

    pub(super) async fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Listed, StoreError> {
        const WHAT: &str = "listing sessions";
        let key = ScopeKey::of(scope);
        let after = cursor.map(|Cursor(id)| *id.as_bytes());
        let count = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows = self
            .chores
            .query_again(
                Statement::List(reach(scope)),
                &[
                    &key.subject,
                    &key.app,
                    &Hidden(after.as_ref().map_or(&[], |id| &id[..])),
                    &count,
                    &self.options.offset(),
                ],
                WHAT,
                self.long_deadline(),
            )
            .await?;
        let mut listed = Listed::default();
        let mut last = None;
        for row in rows.iter().take(limit) {
            let id = id(column(row, 0, WHAT)?, WHAT)?;
            last = Some(Cursor(id));
            match open(row, 1, id) {
                Ok((record, _)) => {
                    let mut record = Arc::new(record);
                    self.touches.fold(&mut record);
                    listed.records.push(record);
                }
                Err(error) => {
                    tracing::error!(session = %id, %error, "passed over a session that cannot be read");
                }
            }
        }
        listed.next = last.filter(|_| rows.len() > limit);
        Ok(listed)
    }

    /// What takes longer than a request: a page of a listing, the rows of a large revocation.
    pub(super) fn long_deadline(&self) -> Instant {
        Instant::now() + self.options.deadline * 5
    }
}
