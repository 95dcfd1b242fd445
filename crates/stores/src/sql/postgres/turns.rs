//! Updates of one session by this node go one after another.
//!
//! Each is computed from what the one before it wrote, so 64 parallel writers need 64 writes. Without turns all but one
//! would find that the row has changed, and try again. What another node writes is met by version and checksum.

use std::collections::HashMap;
use std::sync::Arc;

use cloakroom_core::SessionId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const SHARDS: usize = 64;

pub(super) struct Turns {
    shards: [Mutex<HashMap<SessionId, Arc<Semaphore>>>; SHARDS],
}

/// The right to write one session; whoever waits is next when it is dropped.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    id: SessionId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    fn shard(&self, id: SessionId) -> &Mutex<HashMap<SessionId, Arc<Semaphore>>> {
        &self.shards[usize::from(id.as_bytes()[2]) % SHARDS]
    }

    pub(super) async fn wait(&self, id: SessionId) -> Turn<'_> {
        let turn = {
            let mut shard = self.shard(id).lock();
            let turn = shard
                .entry(id)
                .or_insert_with(|| Arc::new(Semaphore::new(1)));
            Arc::clone(turn)
        };
        // Made before the wait, so that a wait which is cancelled tidies up as well.
        let mut mine = Turn {
            turns: self,
            id,
            permit: None,
        };
        mine.permit = turn.acquire_owned().await.ok();
        mine
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permit = None;
        let mut shard = self.turns.shard(self.id).lock();
        // Others hold it as long as they wait or write; under this lock nobody comes to it.
        if shard
            .get(&self.id)
            .is_some_and(|turn| Arc::strong_count(turn) == 1)
        {
            shard.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn turns_follow_each_other_and_leave_nothing() {
        let turns = Turns::new();
        let id = SessionId::from_bytes([7; 16]);
        let first = turns.wait(id).await;
        let second = tokio::time::timeout(Duration::from_millis(20), turns.wait(id)).await;
        assert!(second.is_err(), "two have the turn");
        drop(turns.wait(SessionId::from_bytes([8; 16])).await);
        drop(first);
        drop(turns.wait(id).await);
        assert!(turns.shards.iter().all(|shard| shard.lock().is_empty()));
    }
}
