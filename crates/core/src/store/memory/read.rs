//! `load` and `list`.

use std::collections::BinaryHeap;

use super::state::{State, over};
use crate::store::{Cursor, Listed, Loaded, Scope, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

impl State {
    pub(super) fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let mut shard = self.cell(id).lock();
        let Some(at) = shard.find(id) else {
            return Ok(None);
        };
        let record = self.decoded(shard.slot(at))?;
        self.used(&mut shard, at);
        drop(shard);
        Ok(Some(self.loaded(record)))
    }

    pub(super) fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let mut page = Listed::default();
        let mut after = cursor.map(|Cursor(last)| last);
        loop {
            // One more than the page holds tells whether there is another; some of them may end before they are read.
            let wanted = limit - page.records.len() + 1;
            let ids = self.ids_after(scope, after, wanted, now)?;
            let complete = ids.len() < wanted;
            for id in ids {
                if page.records.len() == limit {
                    page.next = page.records.last().map(|last| Cursor(last.id));
                    return Ok(page);
                }
                after = Some(id);
                let shard = self.cell(id).lock();
                let Some(at) = shard.find(id).filter(|at| !over(shard.slot(*at), now)) else {
                    continue;
                };
                let record = self.decoded(shard.slot(at))?;
                drop(shard);
                if scope.covers(&record) && !self.revoked(&record) {
                    page.records.push(record.into());
                }
            }
            if complete {
                return Ok(page);
            }
        }
    }

    /// The first `limit` live sessions of a scope after `after`, ascending; no more than those are ever in memory.
    fn ids_after(
        &self,
        scope: &Scope,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut first = BinaryHeap::new();
        let mut add = |id: SessionId| {
            if after.is_none_or(|after| after < id) {
                first.push(id);
                if first.len() > limit {
                    first.pop();
                }
            }
        };
        if let Scope::Subject { subject, .. } = scope {
            let owner = self.owner(Some(subject));
            let mut held = self.index(owner, 0);
            let index = held.of(owner);
            index
                .into_iter()
                .for_each(|index| index.of(owner).for_each(&mut add));
        } else {
            for cell in &self.cells {
                let shard = cell.lock();
                for slot in shard.slots().filter(|slot| !over(slot, now)) {
                    if slot.head()?.is_in(scope) {
                        add(slot.id);
                    }
                }
            }
        }
        Ok(first.into_sorted_vec())
    }
}
