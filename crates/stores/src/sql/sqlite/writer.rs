//! The writer thread: takes what is waiting, does it in one transaction, and answers when that is on the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_core::Timestamp;
use cloakroom_core::store::StoreError;
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::super::verbs::tx::Tx as _;
use super::error::{of_io, of_sqlite, unavailable};
use super::job::{Around, Job, at_once};
use super::place::{Access, Identity};
use super::rows::Rows;
use super::shared::Shared;

/// Touches that one transaction carries at most.
const TOUCHES: usize = 4096;

/// A message to the writer.
pub(super) enum Message {
    Work(Box<dyn Job>),
    /// There are touches to write.
    Wake,
}

/// See the module.
pub(super) struct Writer {
    shared: Arc<Shared>,
    messages: mpsc::Receiver<Message>,
    /// For waits with an end.
    runtime: Runtime,
    open: Option<(Connection, Identity)>,
    touches_written: Instant,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        messages: mpsc::Receiver<Message>,
    ) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| of_io(error, "starting the writer"))?;
        Ok(Self {
            shared,
            messages,
            runtime,
            open: None,
            touches_written: Instant::now(),
        })
    }

    /// Works until the store is dropped, then writes what is left.
    pub(super) fn run(mut self) {
        while let Some(jobs) = self.next() {
            self.work_off(jobs);
        }
        while self.shared.pending.len() > 0 && self.attempt(&mut [], true).is_ok() {}
    }

    /// The next pieces of work, all that wait up to the limit; `None` at the end.
    fn next(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let wait = (self.shared.pending.len() > 0).then(|| {
            let every = self.shared.options.touch_every;
            // Where writing them fails, they are not tried again without a pause.
            every
                .saturating_sub(self.touches_written.elapsed())
                .max(Duration::from_millis(5))
        });
        let messages = &mut self.messages;
        let first = match wait {
            None => messages.blocking_recv()?,
            Some(wait) => match messages.try_recv() {
                Ok(message) => message,
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) => self
                    .runtime
                    .block_on(async { tokio::time::timeout(wait, messages.recv()).await })
                    .unwrap_or(Some(Message::Wake))?,
            },
        };
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Work(job) = message {
                jobs.push(job);
            }
            next = (jobs.len() < self.shared.options.batch)
                .then(|| self.messages.try_recv().ok())
                .flatten();
        }
        Some(jobs)
    }

    fn work_off(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let due = self.shared.pending.len() > 0
            && self.touches_written.elapsed() >= self.shared.options.touch_every;
        let kept = self.attempt(&mut jobs, due).map_err(Arc::new);
        if let Err(error) = &kept {
            tracing::error!(%error, "a transaction was not kept");
        }
        for job in jobs {
            job.finish(kept.as_ref().err());
        }
    }

    /// Does `jobs` in one transaction and keeps it; where that fails, nothing of it has happened.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>], touches: bool) -> Result<(), StoreError> {
        if touches {
            self.touches_written = Instant::now();
        }
        if !touches && !jobs.iter().any(|job| job.is_wanted()) {
            return Ok(());
        }
        let identity = self.shared.place.identity()?;
        let (mut connection, opened) = match self.open.take() {
            // Otherwise another file has come into its place.
            Some(open) if open.1 == identity => open,
            _ => self.shared.place.open(Access::Writer)?,
        };
        let written = self.transact(&mut connection, jobs, touches)?;
        // Were it moved away while we wrote, nobody would find what we answer.
        if self.shared.place.identity()? != opened {
            return Err(unavailable("the database file was replaced just now"));
        }
        self.shared.pending.written(&written);
        self.open = Some((connection, opened));
        Ok(())
    }

    /// Where it fails the connection is closed, and with it the transaction.
    fn transact(
        &self,
        connection: &mut Connection,
        jobs: &mut [Box<dyn Job>],
        touches: bool,
    ) -> Result<
        Vec<(
            cloakroom_core::SessionId,
            super::super::verbs::touches::Touch,
        )>,
        StoreError,
    > {
        command(connection, "BEGIN IMMEDIATE")?;
        let around = Around {
            pending: &self.shared.pending,
        };
        for job in jobs.iter_mut().filter(|job| job.is_wanted()) {
            // What fails is one's own affair, and leaves nothing behind.
            command(connection, "SAVEPOINT job")?;
            if !job.run(connection, &around) {
                command(connection, "ROLLBACK TO job")?;
            }
            command(connection, "RELEASE job")?;
        }
        let touches = if touches {
            self.shared.pending.some(TOUCHES)
        } else {
            Vec::new()
        };
        let mut rows = Rows::new(connection, &self.shared.pending, Timestamp::EPOCH);
        for (id, touch) in &touches {
            at_once(rows.write_touch(*id, *touch))?;
        }
        command(connection, "COMMIT")?;
        Ok(touches)
    }
}

fn command(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.execute([]);
    run()
        .map(drop)
        .map_err(|error| of_sqlite(error, "writing to the database"))
}
