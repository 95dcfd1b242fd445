//! The last write of each kind of registry entry, as far as this process knows: it wakes those who wait for the next.

use cloakroom_core::store::Kind;
use tokio::sync::watch;

use super::registry::KINDS;

/// See the module.
pub(in crate::sql) struct Revisions([watch::Sender<u64>; KINDS.len()]);

impl Default for Revisions {
    fn default() -> Self {
        Self(std::array::from_fn(|_| watch::Sender::new(0)))
    }
}

impl Revisions {
    /// To wait for the next write of `kind`.
    pub(in crate::sql) fn of(&self, kind: Kind) -> watch::Receiver<u64> {
        self.0[kind as usize].subscribe()
    }

    /// An entry of `kind` was written, and its revision is this one.
    pub(in crate::sql) fn wrote(&self, kind: Kind, revision: u64) {
        self.0[kind as usize].send_if_modified(|shown| {
            let newer = revision > *shown;
            *shown = revision.max(*shown);
            newer
        });
    }
}
