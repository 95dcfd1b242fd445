//! What readers and the writer share: the committed snapshot, the hot map in front of it, and the clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cloakroom_core::record::{Epoch, Record};
use cloakroom_core::store::{Cursor, ErrorKind, Kind, Listed, Loaded, Scope, StoreError};
use cloakroom_core::{SessionId, Timestamp};
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::batch::KINDS;
use super::error::{Fault, guarded, unavailable};
use super::hot::{Hot, Look, Seen};
use super::revoke::Before;
use super::view::{Snapshot, candidates, not_before, stored_or_gap};

/// Index rows that a listing reads at a time.
const PAGE: usize = 256;

/// See the module.
pub(super) struct Shared {
    pub(super) hot: Hot,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// The revocation clock as the writer sees it: never behind the snapshot's.
    epoch: AtomicU64,
    /// The last write of each kind.
    pub(super) revisions: [watch::Sender<u64>; KINDS.len()],
    /// Whether a read may have to wait for the disk, so that it is better made off the caller's thread.
    pub(super) may_block: AtomicBool,
}

impl Shared {
    pub(super) fn new(hot_bytes: usize) -> Self {
        Self {
            hot: Hot::new(hot_bytes),
            snapshot: RwLock::new(None),
            epoch: AtomicU64::new(0),
            revisions: std::array::from_fn(|_| watch::Sender::new(0)),
            may_block: AtomicBool::new(false),
        }
    }

    /// What is committed.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let snapshot = self.snapshot.read();
        snapshot
            .clone()
            .ok_or_else(|| unavailable("the database file is out of order"))
    }

    pub(super) fn show(&self, snapshot: Option<Snapshot>) {
        *self.snapshot.write() = snapshot.map(Arc::new);
    }

    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// From here on a not-before that is known as of an earlier epoch is looked up anew.
    pub(super) fn set_epoch(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, Ordering::Release);
    }

    pub(super) fn revision(&self, kind: Kind) -> &watch::Sender<u64> {
        &self.revisions[kind as usize]
    }

    /// The record from the hot map, if all that is needed of it is there.
    pub(super) fn load_hot(&self, id: SessionId) -> Result<Loaded, Look> {
        match self.hot.look(id) {
            Look::Hit(seen) if seen.stamp == self.epoch() => Ok(loaded(&seen)),
            look => Err(look),
        }
    }

    /// Goes on where the hot map did not have all: reads the file, and fills the hot map.
    pub(super) fn load_cold(
        &self,
        id: SessionId,
        look: Look,
    ) -> Result<Option<Loaded>, StoreError> {
        match look {
            Look::Hit(seen) => self.restamped(id, seen).map(|seen| Some(loaded(&seen))),
            Look::Miss { token, touch } => {
                let found = self.snapshot().and_then(|snapshot| {
                    guarded(|| read(&snapshot, id, touch)).map_err(Fault::into_error)
                });
                if let Some(token) = token {
                    let seen = found.as_ref().ok().and_then(Option::as_ref);
                    self.hot.fill(id, token, seen);
                }
                found.map(|seen| seen.as_ref().map(loaded))
            }
        }
    }

    fn restamped(&self, id: SessionId, mut seen: Seen) -> Result<Seen, StoreError> {
        let snapshot = self.snapshot()?;
        seen.not_before = guarded(|| not_before(snapshot.view(), &seen.record.security))
            .map_err(Fault::into_error)?;
        seen.stamp = snapshot.epoch;
        self.hot.restamp(id, &seen);
        Ok(seen)
    }

    /// The record as a load would show it, without a trace in the hot map.
    fn peek(&self, snapshot: &Snapshot, id: SessionId) -> Result<Option<Seen>, Fault> {
        match self.hot.peek(id) {
            Ok(mut seen) => {
                seen.not_before = not_before(snapshot.view(), &seen.record.security)?;
                Ok(Some(seen))
            }
            Err(touch) => read(snapshot, id, touch),
        }
    }

    /// One page of the live sessions of `scope`.
    pub(super) fn list(
        &self,
        scope: &Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let snapshot = self.snapshot()?;
        let page = || {
            let mut listed = Listed::default();
            let mut after = cursor.map(|Cursor(id)| id);
            loop {
                let ids = candidates(snapshot.view(), scope, after, PAGE)?;
                for id in &ids {
                    let Some(seen) = self.peek(&snapshot, *id)? else {
                        continue;
                    };
                    if !scope.covers(&seen.record) || !is_live(&seen, now) {
                        continue;
                    }
                    if listed.records.len() == limit {
                        listed.next = listed.records.last().map(|last| Cursor(last.id));
                        return Ok(listed);
                    }
                    listed.records.push(seen.record);
                }
                if ids.len() < PAGE {
                    return Ok(listed);
                }
                after = ids.last().copied();
            }
        };
        guarded(page).map_err(Fault::into_error)
    }

    /// The sessions of `scope` that a revocation which made `epoch` found live.
    pub(super) fn count(
        &self,
        scope: &Scope,
        before: &Before,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let snapshot = self.snapshot()?;
        let view = snapshot.view();
        let all = || {
            let mut live = Vec::new();
            let mut after = None;
            loop {
                let ids = candidates(view, scope, after, PAGE)?;
                for id in &ids {
                    let seen = match self.peek(&snapshot, *id) {
                        Ok(Some(seen)) => seen,
                        // Gone, or damaged: denied in any case.
                        Ok(None) | Err(Fault::Own(_)) => continue,
                        Err(fault) => return Err(fault),
                    };
                    let record: &Record = &seen.record;
                    if scope.covers(record)
                        && record.security.admitted < epoch
                        && before.was_live(view, record, now)?
                    {
                        live.push(*id);
                    }
                }
                if ids.len() < PAGE {
                    return Ok(live);
                }
                after = ids.last().copied();
            }
        };
        guarded(all).map_err(Fault::into_error)
    }
}

fn read(
    snapshot: &Snapshot,
    id: SessionId,
    touch: Option<super::tables::Touch>,
) -> Result<Option<Seen>, Fault> {
    let Some(stored) = stored_or_gap(snapshot.view(), id, touch)? else {
        return Ok(None);
    };
    Ok(Some(Seen {
        not_before: not_before(snapshot.view(), &stored.record.security)?,
        stamp: snapshot.epoch,
        record: stored.record,
        bytes: stored.bytes,
    }))
}

fn is_live(seen: &Seen, now: Timestamp) -> bool {
    now < seen.record.deadline() && seen.record.security.admitted >= seen.not_before
}

fn loaded(seen: &Seen) -> Loaded {
    Loaded {
        record: Arc::clone(&seen.record),
        not_before: seen.not_before,
        store_now: None,
    }
}

/// Runs `work` where it may take its time: off the caller's thread, if there is a runtime to lend one.
pub(super) async fn off_thread<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let Ok(runtime) = Handle::try_current() else {
        return work(shared);
    };
    let shared = Arc::clone(shared);
    runtime
        .spawn_blocking(move || work(&shared))
        .await
        .map_err(|error| {
            StoreError::new(ErrorKind::Unavailable, "reading the database file").because(error)
        })?
}
