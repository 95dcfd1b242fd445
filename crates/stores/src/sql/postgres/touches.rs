//! Touches that wait to be written together.
//!
//! A touch is noted where its session was read a moment ago and lives on for a while even without it; whatever a node
//! then does, it is in the database before its old deadline comes. All other touches are written at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{Activity, Record, SessionId, Timestamp};
use parking_lot::Mutex;

/// How long a touch waits.
pub(super) const WAIT: Duration = Duration::from_secs(1);
/// How far away the deadline must be that a touch moves, so that it may wait; failed tries included.
pub(super) const MARGIN: Duration = Duration::from_secs(10);
/// Touches that wait at most; one more is written at once.
const COUNT_MAX: usize = 64 * 1024;
/// Touches that one statement writes.
pub(super) const AT_ONCE: usize = 256;

/// A touch: valid while the record has this version of the security block, whose timeouts it was computed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) security: u64,
    pub(super) activity: Activity,
}

#[derive(Default)]
pub(super) struct Touches {
    waiting: Mutex<HashMap<SessionId, Touch>>,
}

impl Touches {
    /// Notes a touch of `record`; answers false where it cannot wait.
    pub(super) fn note(&self, record: &Record, activity: Activity, now: Timestamp) -> bool {
        if record.deadline() <= now.plus(MARGIN) {
            return false;
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() >= COUNT_MAX {
            return false;
        }
        merge(
            &mut waiting,
            record.id,
            Touch {
                security: record.security.version,
                activity,
            },
        );
        true
    }

    /// Puts the touch that waits for `record` into it.
    pub(super) fn fold(&self, record: &mut Arc<Record>) {
        let waiting = self.waiting.lock();
        if waiting.is_empty() {
            return;
        }
        if let Some(touch) = waiting.get(&record.id)
            && touch.security == record.security.version
        {
            let record = Arc::make_mut(record);
            record.activity = record.activity.later(touch.activity);
        }
    }

    pub(super) fn forget(&self, id: SessionId) {
        self.waiting.lock().remove(&id);
    }

    /// Some that wait, by id. They stay until they are written.
    pub(super) fn some(&self) -> Vec<(SessionId, Touch)> {
        let waiting = self.waiting.lock();
        let some = waiting.iter().take(AT_ONCE);
        let mut some: Vec<_> = some.map(|(id, touch)| (*id, *touch)).collect();
        some.sort_unstable_by_key(|(id, _)| *id);
        some
    }

    /// They are written; what came meanwhile stays.
    pub(super) fn written(&self, touches: &[(SessionId, Touch)]) {
        let mut waiting = self.waiting.lock();
        for (id, touch) in touches {
            if waiting.get(id) == Some(touch) {
                waiting.remove(id);
            }
        }
    }
}

fn merge(waiting: &mut HashMap<SessionId, Touch>, id: SessionId, touch: Touch) {
    let merged = waiting.entry(id).or_insert(touch);
    if merged.security == touch.security {
        merged.activity = merged.activity.later(touch.activity);
    } else if merged.security < touch.security {
        *merged = touch;
    }
}
