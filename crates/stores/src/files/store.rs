//! The contract, verb by verb: each is work for one thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::record::{Epoch, Security};
use cloakroom_core::store::{
    Clock, Consistency, Created, Cursor, Deleted, Entry, Expect, Expected, Kind, Listed, Loaded,
    Profile, Put, Registry, ReplayGuard, Revoked, Scope, Store, StoreError, SubjectIndex, Swept,
    Touched, Updated,
};
use cloakroom_core::{Activity, Change, Record, SessionId, SubjectLimit, Timestamp};

use super::error::{During as _, unavailable};
use super::paths::{gate, session};
use super::registry::{Write, check_name, check_replay};
use super::turns::Turn;
use super::{Files, FilesStore};

/// How often a watcher looks whether another process has written something.
const WATCH_EVERY: Duration = Duration::from_millis(250);

impl FilesStore {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let files = Arc::clone(&self.files);
        self.pool
            .run(self.deadline, self.deadline, move || work(&files))
            .await
    }

    /// Work over as many sessions as there are.
    async fn run_long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let files = Arc::clone(&self.files);
        self.pool
            .run(self.deadline, self.scan_deadline, move || work(&files))
            .await
    }

    async fn turn(&self, key: String) -> Result<Turn<'_>, StoreError> {
        let turn = tokio::time::timeout(self.deadline, self.turns.take(key)).await;
        turn.map_err(|_| unavailable("too many writers of one session"))
    }

    /// Always after the turn of a session, so that no two wait for each other.
    async fn limited_turn(
        &self,
        login: Option<&Security>,
        limit: SubjectLimit,
    ) -> Result<Option<Turn<'_>>, StoreError> {
        match login {
            Some(Security {
                subject: Some(subject),
                app,
                ..
            }) if limit.max.is_some() => self.turn(gate(subject, app.as_ref())).await.map(Some),
            _ => Ok(None),
        }
    }
}

impl Store for FilesStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "files",
            consistency: Consistency::Linearizable,
            durable: true,
            shared: true,
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
        let _limited = self.limited_turn(Some(&record.security), limit).await?;
        self.run(move |files| files.create(&record, limit, now))
            .await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.run(move |files| files.load(id)).await
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let _turn = self.turn(session(id)).await?;
        let login = change.security.as_ref();
        let _limited = self.limited_turn(login, limit).await?;
        self.run(move |files| files.update(id, expect, &change, limit, now))
            .await
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.run(move |files| files.touch(id, activity, now)).await
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.run(move |files| files.delete(id)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.run_long(move |files| files.sweep(now, limit)).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.run_long(|files| {
            if files.unsynced.swap(false, Ordering::AcqRel) {
                files.io.sync_all().during("syncing touches")?;
            }
            Ok(())
        })
        .await
    }
}

impl SubjectIndex for FilesStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.run(Files::epoch).await
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.run_long(move |files| files.list(&scope, cursor, limit, now))
            .await
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        self.run_long(move |files| files.revoke_all(&scope, except, now))
            .await
    }
}

impl ReplayGuard for FilesStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        check_replay(key)?;
        let key: Box<[u8]> = key.into();
        self.run(move |files| files.first_seen(&key, until, now))
            .await
    }
}

impl Registry for FilesStore {
    async fn get(
        &self,
        kind: Kind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        check_name(name)?;
        let name: Box<str> = name.into();
        self.run(move |files| files.get(kind, &name, now)).await
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
        let write = Write {
            kind,
            name: name.into(),
            expected,
            value,
            expires,
        };
        write.check()?;
        self.run(move |files| files.put(&write, now)).await
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let after: Option<Box<str>> = after.map(Into::into);
        self.run_long(move |files| files.entries(kind, after.as_deref(), limit, now))
            .await
    }

    async fn changed(&self, kind: Kind, seen: u64) -> Result<u64, StoreError> {
        loop {
            let rung = self.files.bells[kind as usize].notified();
            tokio::pin!(rung);
            // Before the look, so that no write falls between.
            rung.as_mut().enable();
            let revision = self.run(move |files| files.revision(kind)).await?;
            if revision > seen {
                return Ok(revision);
            }
            let wait = WATCH_EVERY.mul_f64(rand::random_range(0.8..1.2));
            drop(tokio::time::timeout(wait, rung).await);
        }
    }
}
