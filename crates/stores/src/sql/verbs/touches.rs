//! Touches: their stored form, and those that wait to be written.

use std::collections::HashMap;

use cloakroom_core::store::StoreError;
use cloakroom_core::{Activity, Record, SessionId};
use parking_lot::Mutex;

use super::seal::{seal, take_time, take_u64, time_bytes, unseal};

/// A touch: valid while the record has this version of the security block, whose timeouts it was computed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) struct Touch {
    pub(in crate::sql) security: u64,
    pub(in crate::sql) activity: Activity,
}

impl Touch {
    pub(in crate::sql) fn seal(self, id: SessionId) -> Vec<u8> {
        let parts: [&[u8]; 3] = [
            &self.security.to_be_bytes(),
            &time_bytes(self.activity.last_seen),
            &time_bytes(self.activity.idle_deadline),
        ];
        seal(id.as_bytes(), &parts)
    }

    pub(in crate::sql) fn unseal(id: SessionId, sealed: &[u8]) -> Result<Self, StoreError> {
        const WHAT: &str = "reading a touch";
        let mut payload = unseal(id.as_bytes(), sealed, WHAT)?;
        Ok(Self {
            security: take_u64(&mut payload, WHAT)?,
            activity: Activity {
                last_seen: take_time(&mut payload, WHAT)?,
                idle_deadline: take_time(&mut payload, WHAT)?,
            },
        })
    }

    /// Shows it in `record`, if it is still of use.
    pub(in crate::sql) fn fold(self, record: &mut Record) {
        if self.security == record.security.version {
            record.activity = record.activity.later(self.activity);
        }
    }

    fn later(self, other: Self) -> Self {
        match self.security.cmp(&other.security) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => Self {
                security: self.security,
                activity: self.activity.later(other.activity),
            },
        }
    }
}

/// Touches that wait to be written together; readers of the same handle see them at once.
#[derive(Debug, Default)]
pub(in crate::sql) struct Pending(Mutex<HashMap<SessionId, Touch>>);

impl Pending {
    /// How many wait.
    pub(in crate::sql) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// The one of `id`.
    pub(in crate::sql) fn get(&self, id: SessionId) -> Option<Touch> {
        self.0.lock().get(&id).copied()
    }

    /// Notes one; answers whether it is the first that waits.
    pub(in crate::sql) fn note(&self, id: SessionId, touch: Touch) -> bool {
        let mut waiting = self.0.lock();
        let first = waiting.is_empty();
        let place = waiting.entry(id).or_insert(touch);
        *place = place.later(touch);
        first
    }

    /// At most `limit` of them, ascending by session id.
    pub(in crate::sql) fn some(&self, limit: usize) -> Vec<(SessionId, Touch)> {
        let waiting = self.0.lock();
        let mut some: Vec<_> = waiting.iter().map(|(id, touch)| (*id, *touch)).collect();
        drop(waiting);
        some.sort_unstable_by_key(|(id, _)| *id);
        some.truncate(limit);
        some
    }

    /// These were written; one that became later since then stays.
    pub(in crate::sql) fn written(&self, touches: &[(SessionId, Touch)]) {
        let mut waiting = self.0.lock();
        for (id, touch) in touches {
            if waiting.get(id) == Some(touch) {
                waiting.remove(id);
            }
        }
    }
}
