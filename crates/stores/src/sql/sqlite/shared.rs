//! What the store's handle and its writer share: the place of the file, touches that wait, connections for readers.

use std::sync::Arc;

use cloakroom_core::Timestamp;
use cloakroom_core::store::StoreError;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::super::verbs::revisions::Revisions;
use super::super::verbs::touches::Pending;
use super::Options;
use super::error::{of_sqlite, unavailable};
use super::place::{Access, Identity, Place};
use super::rows::Rows;

/// See the module.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) place: Place,
    pub(super) pending: Pending,
    pub(super) revisions: Revisions,
    idle: Mutex<Vec<(Connection, Identity)>>,
    readers: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(options: Options) -> Result<Self, StoreError> {
        Ok(Self {
            place: Place::at(&options.path, options.deadline)?,
            pending: Pending::default(),
            revisions: Revisions::default(),
            idle: Mutex::default(),
            readers: Arc::new(Semaphore::new(options.readers.max(1))),
            options,
        })
    }

    /// Has `work` read, off the caller's thread, from one state of the database.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        now: Timestamp,
        work: impl FnOnce(&mut Rows<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reading = async {
            let turn = Arc::clone(&self.readers).acquire_owned().await;
            let shared = Arc::clone(self);
            let read = tokio::task::spawn_blocking(move || {
                // Held until it is done, also where the caller went away.
                let _turn = turn;
                shared.read_here(now, work)
            });
            read.await
                .unwrap_or_else(|error| Err(unavailable("reading the database").because(error)))
        };
        tokio::time::timeout(self.options.deadline, reading)
            .await
            .unwrap_or_else(|_| Err(unavailable("reading the database took too long")))
    }

    fn read_here<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Rows<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let identity = self.place.identity()?;
        let idle = self.idle.lock().pop();
        let (mut connection, identity) = match idle {
            Some(idle) if idle.1 == identity => idle,
            _ => self.place.open(Access::Reader)?,
        };
        let failed = |error| of_sqlite(error, "reading the database");
        let begin = |sql| connection.prepare_cached(sql)?.execute([]);
        begin("BEGIN").map_err(failed)?;
        let answer = work(&mut Rows::new(&mut connection, &self.pending, now));
        let end = |sql| connection.prepare_cached(sql)?.execute([]);
        end("COMMIT").map_err(failed)?;
        self.idle.lock().push((connection, identity));
        answer
    }
}
