//! `load` and `list`.

use std::collections::BinaryHeap;

use super::slot::Slot;
use super::state::{State, over};
use crate::store::{Cursor, Listed, Loaded, Scope, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Sessions that a scan looks at under one lock.
const SCANNED: usize = 128;

impl State {
    pub(super) fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let mut shard = self.cell(id).lock();
        let Some(at) = shard.find(id) else {
            return Ok(None);
        };
        let record = shard.slot(at).record()?;
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
                let Some(at) = shard.find(id).filter(|at| !over(&shard.slot(*at), now)) else {
                    continue;
                };
                let record = shard.slot(at).record()?;
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
            for place in held
                .of(owner)
                .map_or_else(Vec::new, |index| index.of(owner))
            {
                let shard = self.cell_of(place).lock();
                for at in shard.at(place) {
                    let slot = shard.slot(at);
                    if !over(&slot, now) && slot.head()?.is_in(scope) {
                        add(slot.id());
                    }
                }
            }
        } else {
            self.scan(|slot| {
                if !over(&slot, now) && slot.head().is_ok_and(|head| head.is_in(scope)) {
                    add(slot.id());
                }
            });
        }
        Ok(first.into_sorted_vec())
    }

    /// Looks at every session that is there all the while, some at a time under a lock.
    pub(super) fn scan(&self, mut look: impl FnMut(Slot<'_>)) {
        for cell in &self.cells {
            let mut next = Some(0);
            while let Some(from) = next {
                next = cell.lock().scan(from, SCANNED, &mut look);
            }
        }
    }
}
