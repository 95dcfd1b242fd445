//! Writers of one session, and limited logins of one subject, in this process come one after another, so that they do not make each other write in vain.
//! Nothing depends on it: who is right is decided in the folder.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<Queue<()>>>>);

/// Somebody's turn, until it is dropped.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    key: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(super) async fn take(&self, key: String) -> Turn<'_> {
        // Made first, so that the queue is given up also where the wait is.
        let mut turn = Turn {
            turns: self,
            key,
            guard: None,
        };
        let queue = Arc::clone(self.0.lock().entry(turn.key.clone()).or_default());
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut queues = self.turns.0.lock();
        // Whoever waits holds it too.
        if queues
            .get(&self.key)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            queues.remove(&self.key);
        }
    }
}
