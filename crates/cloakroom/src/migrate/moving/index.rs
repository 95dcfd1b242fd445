//! Listing and revoking over both stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Cursor, Listed, Revoked, Scope, SubjectIndex};
use cloakroom_core::{Record, SessionId, StoreError, Timestamp};

use super::Moving;
use super::session::{Place, is_marked};
use super::store::whole;

impl SubjectIndex for Moving {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.new.epoch().await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        // The old store first: what is not there any more when it is asked has arrived in the new one.
        let here = self.old.list(scope.clone(), cursor, limit, now).await?;
        let there = self.new.list(scope, cursor, limit, now).await?;
        let more = here.next.is_some() || there.next.is_some();
        let mut merged: BTreeMap<SessionId, Arc<Record>> = here
            .records
            .into_iter()
            .map(|record| (record.id, record))
            .collect();
        for record in there.records {
            if !is_marked(&record) {
                merged.insert(record.id, record);
            } else if !merged.contains_key(&record.id)
                && let Place::New(arrived) = self.settle(record.id, now).await?
            {
                merged.insert(record.id, arrived.record);
            }
        }
        let more = more || merged.len() > limit;
        let records: Vec<_> = merged.into_values().take(limit).collect();
        let next = records.last().filter(|_| more).map(|last| Cursor(last.id));
        Ok(Listed { records, next })
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let this = self.clone();
        whole(async move { this.revoke(scope, except, now).await }).await
    }
}

impl Moving {
    async fn revoke(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        if let Some(kept) = except {
            // On its way it would be admitted by neither.
            self.settle(kept, now).await?;
        }
        let here = self.old.revoke_all(scope.clone(), except, now).await?;
        let there = self.new.revoke_all(scope, except, now).await?;
        let sum = here.count + there.count;
        let knows_all = sum == (here.ids.len() + there.ids.len()) as u64;
        let ids: BTreeSet<SessionId> = here.ids.into_iter().chain(there.ids).collect();
        Ok(Revoked {
            // One that was on its way was in both.
            count: if knows_all { ids.len() as u64 } else { sum },
            epoch: there.epoch,
            ids: ids.into_iter().collect(),
        })
    }
}
