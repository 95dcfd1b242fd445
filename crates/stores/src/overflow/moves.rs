//! Down to the disk and up again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cloakroom_core::store::{Created, Cursor, Scope, Store as _, StoreError, SubjectIndex as _};
use cloakroom_core::{Record, SessionId, SubjectLimit, Timestamp};
use tokio::task::JoinSet;

use super::Inner;

/// Sessions that are looked at to find those that go down.
const LOOK: usize = 64;
/// Expired sessions that are cleared before one begins.
const CLEAR: usize = 4;
/// Cleared sessions that are remembered until a sweep names them.
const CLEARED_MAX: usize = 4096;
/// Sessions that go down together: the disk writes them in one go.
const DOWN: usize = 16;

impl Inner {
    /// Clears what is over before room is made, so that memory, which would do the same, does it under our eyes.
    pub(super) async fn clear_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        let swept = self.memory.sweep(now, CLEAR).await?;
        if !swept.removed.is_empty() {
            let mut cleared = self.cleared.lock();
            cleared.extend(swept.removed);
            let over = cleared.len().saturating_sub(CLEARED_MAX);
            cleared.drain(..over);
        }
        Ok(())
    }

    /// Sends some sessions down; answers whether any went.
    ///
    /// Of a handful from a place that chance picks, those that were used least recently: close to the least recently used
    /// of all, without a list of them. The moves go on though the caller may be gone, so that none stops half-way.
    pub(super) async fn make_room(self: &Arc<Self>, now: Timestamp) -> Result<bool, StoreError> {
        // Whoever looks for a session from here on looks on the disk too.
        self.spilled.store(true, Ordering::Release);
        let mut moves = JoinSet::new();
        for record in self.least_used(now).await? {
            // Somebody at work on it is using it.
            if let Some(lock) = self.locks.try_move(record.id) {
                let inner = Arc::clone(self);
                moves.spawn(async move {
                    let moved = inner.move_down(record.id, now).await;
                    drop(lock);
                    moved
                });
            }
        }
        let mut any = false;
        for moved in moves.join_all().await {
            any |= moved?;
        }
        Ok(any)
    }

    async fn least_used(&self, now: Timestamp) -> Result<Vec<Arc<Record>>, StoreError> {
        let place = Cursor(SessionId::from_bytes(rand::random()));
        let everything = || Scope::Everything;
        let after = self
            .memory
            .list(everything(), Some(place), LOOK, now)
            .await?;
        let mut found = after.records;
        if found.len() < LOOK {
            let more = LOOK - found.len();
            let first = self.memory.list(everything(), None, more, now).await?;
            found.extend(first.records);
        }
        found.sort_unstable_by_key(|record| record.activity.last_seen);
        found.truncate(DOWN);
        Ok(found)
    }

    /// Moves a session whose lock the caller holds. It may have ended meanwhile.
    pub(super) async fn move_down(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _moving = self.locks.moving().await;
        let Some(loaded) = self.memory.load(id).await? else {
            return Ok(false);
        };
        let record = (*loaded.record).clone();
        match self.disk.create(record, SubjectLimit::NONE, now).await? {
            Created::Done(_) => {
                self.down.fetch_add(1, Ordering::Relaxed);
            }
            // It was revoked, so it is over.
            Created::Refused(_) => {}
            Created::Exists => {
                self.disk.delete(id).await?;
                return Ok(false);
            }
        }
        self.memory.delete(id).await?;
        Ok(true)
    }

    /// Brings a session up that was just used, if there is plenty of room. The caller holds its lock for writing.
    pub(super) async fn move_up(&self, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
        let stats = self.memory.stats();
        if stats.used > stats.reserved - stats.reserved / 8 {
            return Ok(());
        }
        let _moving = self.locks.moving().await;
        let Some(loaded) = self.disk.load(id).await? else {
            return Ok(());
        };
        let record = (*loaded.record).clone();
        // Where it does not fit after all, it stays where it is.
        if let Ok(Created::Done(_)) = self.memory.create(record, SubjectLimit::NONE, now).await {
            self.disk.delete(id).await?;
            self.up.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
