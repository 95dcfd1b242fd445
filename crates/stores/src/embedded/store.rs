//! The contract, verb by verb: what is answered here and what the writer does.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Clock, Consistency, Created, Cursor, Deleted, Entry, Expect, Expected, Kind, Listed, Loaded,
    Profile, Put, Registry, ReplayGuard, Revoked, Scope, Store, StoreError, SubjectIndex, Swept,
    Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};
use std::sync::atomic::Ordering;

use super::error::{Fault, guarded, unavailable};
use super::hot::Noted;
use super::revoke::Ended;
use super::shared::off_thread;
use super::tables::{after_prefix, entry_key, kind_prefix};
use super::view::{View, decode_entry, entry};
use super::{EmbeddedStore, registry, revoke, sessions, sweep};
use redb::ReadableTable as _;

/// Touches that may wait in memory; one more waits for the writer.
const TOUCHES_MAX: usize = 64 * 1024;

impl Store for EmbeddedStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "embedded",
            consistency: Consistency::Linearizable,
            durable: true,
            shared: false,
            clock: Clock::Caller,
            ready: false,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let record = Arc::new(record);
        self.write(move |batch| sessions::create(batch, &record, limit, now))
            .await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let look = match self.shared.load_hot(id) {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(look) => look,
        };
        if self.shared.may_block.load(Ordering::Relaxed) {
            off_thread(&self.shared, move |shared| shared.load_cold(id, look)).await
        } else {
            self.shared.load_cold(id, look)
        }
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        self.write(move |batch| sessions::update(batch, id, expect, &change, limit, now))
            .await
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let idle = self.shared.hot.pending();
        if idle < TOUCHES_MAX {
            // A second look, for a record that first has to be fetched.
            for _ in 0..2 {
                let epoch = self.shared.epoch();
                match self.shared.hot.touch(id, activity, now, epoch) {
                    Noted::Done if idle == 0 => {
                        self.wake();
                        return Ok(Touched::Done);
                    }
                    Noted::Done => return Ok(Touched::Done),
                    Noted::Gone => return Ok(Touched::Gone),
                    Noted::Unknown => {}
                }
                if self.load(id).await?.is_none() {
                    return Ok(Touched::Gone);
                }
            }
        }
        self.write(move |batch| sessions::touch(batch, id, activity, now))
            .await
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.write(move |batch| sessions::delete(batch, id)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.write(move |batch| sweep::sweep(batch, now, limit))
            .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.write(|batch| sessions::write_touches(batch, usize::MAX))
            .await
    }
}

impl SubjectIndex for EmbeddedStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        // The committed one: a later one might come a second time after a crash.
        Ok(self.shared.snapshot()?.epoch)
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        off_thread(&self.shared, move |shared| {
            shared.list(&scope, cursor, limit, now)
        })
        .await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        // As long as this is held, the rows stay and can be counted.
        let counting = Arc::new(());
        let step = {
            let (scope, counting) = (scope.clone(), Arc::clone(&counting));
            self.write(move |batch| revoke::revoke(batch, &scope, except, &counting, now))
                .await?
        };
        let ids = match step.ended {
            Ended::Now(ids) => ids,
            Ended::Later(before) => {
                off_thread(&self.shared, move |shared| {
                    shared.count(&scope, &before, step.epoch, now)
                })
                .await?
            }
        };
        drop(counting);
        self.wake();
        Ok(Revoked {
            count: ids.len() as u64,
            epoch: step.epoch,
            ids,
        })
    }
}

impl ReplayGuard for EmbeddedStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        registry::check_replay(key)?;
        let key: Box<[u8]> = key.into();
        self.write(move |batch| registry::first_seen(batch, &key, until, now))
            .await
    }
}

impl Registry for EmbeddedStore {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        registry::check_name(name)?;
        let snapshot = self.shared.snapshot()?;
        guarded(|| entry(snapshot.view(), kind, name, now)).map_err(Fault::into_error)
    }

    async fn put(
        &self,
        kind: Kind,
        name: &str,
        expected: Expected,
        value: Option<Bytes>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        let write = registry::Write {
            kind,
            name: name.into(),
            expected,
            value,
            expires,
        };
        write.check()?;
        self.write(move |batch| registry::put(batch, &write, now))
            .await
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let end = after_prefix(&kind_prefix(kind));
        let mut from = entry_key(kind, after.unwrap_or_default());
        if after.is_some() {
            from.push(0);
        }
        off_thread(&self.shared, move |shared| {
            let snapshot = shared.snapshot()?;
            let rows = || {
                let mut entries = Vec::new();
                let rows = snapshot.view().registry();
                for row in rows.range::<&[u8]>(&from[..]..&end[..])? {
                    if entries.len() == limit {
                        break;
                    }
                    let (key, row) = row?;
                    let entry = decode_entry(kind, key.value(), row.value())?;
                    if entry.expires.is_none_or(|expires| now < expires) {
                        entries.push(entry);
                    }
                }
                Ok(entries)
            };
            guarded(rows).map_err(Fault::into_error)
        })
        .await
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        let mut revisions = self.shared.revision(kind).subscribe();
        let revision = revisions
            .wait_for(|revision| *revision > seen)
            .await
            .map_err(|_| unavailable("the store was closed"))?;
        Ok(*revision)
    }
}
