//! Revoking many: the not-before decides at once, the rows go after it.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::record::{Epoch, Record};
use cloakroom_core::store::{Revoked, Scope, StoreError};
use cloakroom_core::{Change, SessionId};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::Shared;
use super::error::unavailable;
use super::index::reach;
use super::lane::somewhere_in;
use super::recent::Base;
use super::sessions::Fetched;
use super::statements::Statement;
use super::values::{Hidden, column, id, only};
use crate::seal::damaged;
use crate::sql::row::{Columns, signed, unsigned};
use crate::sql::scope::ScopeKey;

/// Rows that one statement removes: few, so that its locks are short.
const PURGE: i64 = 256;
/// Statements whose rows are removed before a revocation is answered; what is more is counted, and removed after it.
const PURGES_FIRST: usize = 2;
/// Ids that one statement counts.
const COUNT: i64 = 10_000;
const PAUSE: Duration = Duration::from_millis(5);
/// A purge that failed is tried again after about this.
const LATER: Duration = Duration::from_secs(5);

/// A revocation that has happened.
#[derive(Debug, Clone)]
struct Raised {
    scope: Scope,
    epoch: i64,
    /// The clock and the scope's not-before as they were.
    epoch_before: i64,
    not_before_before: i64,
}

/// The session that a revocation leaves, as it is and as it will be.
struct Kept {
    base: Base,
    record: Record,
    /// The epoch that it was computed for.
    expected: Epoch,
}

impl Shared {
    pub(super) async fn revoke_all(
        self: &Arc<Self>,
        scope: Scope,
        except: Option<SessionId>,
    ) -> Result<Revoked, StoreError> {
        let deadline = self.deadline();
        let raised = loop {
            let kept = match except {
                Some(id) => self.to_keep(id, &scope, deadline).await?,
                None => None,
            };
            if let Some(raised) = self.raise(&scope, kept, deadline).await? {
                break raised;
            }
            if deadline <= Instant::now() {
                return Err(unavailable(
                    "the revocation clock was written by too many at once",
                ));
            }
            tokio::time::sleep(somewhere_in(PAUSE)).await;
        };
        self.recent.revoked();
        let mut ids = Vec::new();
        if let Err(error) = self.clear(&raised, &mut ids).await {
            // It has happened: nobody opens them any more. Only how many they were is not known.
            tracing::warn!(%error, "the sessions that a revocation ended could not all be counted");
        }
        Ok(Revoked {
            count: ids.len() as u64,
            epoch: Epoch(unsigned(raised.epoch, "revoking sessions")?),
            ids,
        })
    }

    /// The session `id`, admitted anew, if it is a live one of `scope`.
    async fn to_keep(
        &self,
        id: SessionId,
        scope: &Scope,
        deadline: Instant,
    ) -> Result<Option<Kept>, StoreError> {
        let expected = self.epoch().await?;
        let fetched = self.fetch(id, deadline).await?;
        let covered = |fetched: &Fetched| fetched.live && scope.covers(&fetched.base.record);
        Ok(fetched.filter(covered).map(|fetched| {
            let base = fetched.base;
            let mut security = base.record.security.clone();
            security.version += 1;
            security.admitted = expected.next(0);
            // A write to its security block, so that what was computed from the old one conflicts.
            let change = Change {
                security: Some(security),
                ..Change::default()
            };
            let record = base.record.apply(&change);
            Kept {
                base,
                record,
                expected,
            }
        }))
    }

    /// Raises the clock and the not-before of `scope`; `None` where `kept` is not what it was.
    async fn raise(
        &self,
        scope: &Scope,
        kept: Option<Kept>,
        deadline: Instant,
    ) -> Result<Option<Raised>, StoreError> {
        const WHAT: &str = "revoking sessions";
        let key = ScopeKey::of(scope);
        let columns = kept
            .as_ref()
            .map(|kept| Columns::of(&kept.record))
            .transpose()?;
        let expected = kept
            .as_ref()
            .map(|kept| signed(kept.expected.0))
            .transpose()?;
        let version = kept
            .as_ref()
            .map(|kept| signed(kept.base.record.version))
            .transpose()?;
        let id = kept.as_ref().map(|kept| Hidden(kept.record.id.as_bytes()));
        let rows = self
            .writes
            .query(
                Statement::Revoke,
                &[
                    &key.subject,
                    &key.app,
                    &expected,
                    &id,
                    &version,
                    &kept.as_ref().map(|kept| kept.base.crc),
                    &columns.as_ref().map(|columns| columns.version),
                    &columns.as_ref().map(|columns| columns.security_version),
                    &columns.as_ref().map(|columns| columns.crc),
                    &columns.as_ref().map(|columns| Hidden(&columns.record)),
                    &self.options.offset(),
                    &self.channel,
                ],
                WHAT,
                deadline,
            )
            .await?;
        if let Some(kept) = &kept {
            self.gone(kept.record.id);
        }
        let row = only(&rows, WHAT)?;
        match column::<i32>(row, 0, WHAT)? {
            0 => Ok(Some(Raised {
                scope: scope.clone(),
                epoch: column(row, 1, WHAT)?,
                epoch_before: column(row, 2, WHAT)?,
                not_before_before: column(row, 3, WHAT)?,
            })),
            1 => Ok(None),
            _ => Err(damaged(WHAT)),
        }
    }

    /// Removes the rows of a revocation, the first of them at once, and gathers who was live.
    async fn clear(
        self: &Arc<Self>,
        raised: &Raised,
        ended: &mut Vec<SessionId>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        for _ in 0..PURGES_FIRST {
            match self.purge(raised, after, Some(ended)).await {
                Ok(None) => return Ok(()),
                Ok(last) => after = last,
                Err(error) => {
                    self.purge_later(raised, after);
                    return Err(error);
                }
            }
        }
        let counted = self.count(raised, after, ended).await;
        self.purge_later(raised, after);
        counted
    }

    /// Removes some; where there may be more, the last one it looked at.
    async fn purge(
        &self,
        raised: &Raised,
        after: Option<SessionId>,
        mut ended: Option<&mut Vec<SessionId>>,
    ) -> Result<Option<SessionId>, StoreError> {
        const WHAT: &str = "removing revoked sessions";
        let statement = Statement::Purge(reach(&raised.scope));
        let rows = self.ask(statement, raised, after, PURGE, WHAT).await?;
        let mut last = None;
        for row in &rows {
            let id = id(column(row, 0, WHAT)?, WHAT)?;
            self.gone(id);
            last = Some(id);
            if let Some(ended) = &mut ended
                && column::<bool>(row, 1, WHAT)?
            {
                ended.push(id);
            }
        }
        Ok(last.filter(|_| rows.len() as i64 == PURGE))
    }

    /// Gathers those that were live, without removing them.
    async fn count(
        &self,
        raised: &Raised,
        mut after: Option<SessionId>,
        ended: &mut Vec<SessionId>,
    ) -> Result<(), StoreError> {
        const WHAT: &str = "counting revoked sessions";
        let statement = Statement::Live(reach(&raised.scope));
        loop {
            let rows = self.ask(statement, raised, after, COUNT, WHAT).await?;
            for row in &rows {
                ended.push(id(column(row, 0, WHAT)?, WHAT)?);
            }
            if (rows.len() as i64) < COUNT {
                return Ok(());
            }
            after = ended.last().copied();
        }
    }

    async fn ask(
        &self,
        statement: Statement,
        raised: &Raised,
        after: Option<SessionId>,
        count: i64,
        what: &'static str,
    ) -> Result<Vec<Row>, StoreError> {
        let key = ScopeKey::of(&raised.scope);
        let after = after.map(|id| *id.as_bytes());
        let rows = self
            .chores
            .query(
                statement,
                &[
                    &key.subject,
                    &key.app,
                    &Hidden(after.as_ref().map_or(&[], |id| &id[..])),
                    &count,
                    &raised.epoch,
                    &raised.epoch_before,
                    &raised.not_before_before,
                    &self.options.offset(),
                ],
                what,
                self.long_deadline(),
            )
            .await?;
        Ok(rows)
    }

    /// Removes what is left, little by little, for as long as the store is open; what then is left, the sweep takes.
    fn purge_later(self: &Arc<Self>, raised: &Raised, mut after: Option<SessionId>) {
        let (shared, raised) = (Arc::downgrade(self), raised.clone());
        tokio::spawn(async move {
            while let Some(shared) = shared.upgrade() {
                match shared.purge(&raised, after, None).await {
                    Ok(None) => return,
                    Ok(last) => after = last,
                    Err(_) => tokio::time::sleep(somewhere_in(LATER)).await,
                }
            }
        });
    }
}
