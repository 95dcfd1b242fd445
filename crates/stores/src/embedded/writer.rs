//! The writer thread: takes what is waiting, does it in one transaction, and answers when that is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cloakroom_core::store::{ErrorKind, StoreError};
use redb::{Database, ReadableDatabase};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::Options;
use super::batch::{Batch, Counters, Effects, KINDS};
use super::error::{Fault, guarded, of_io, unavailable};
use super::file::Opener;
use super::revoke::Purge;
use super::sessions::write_touches;
use super::shared::Shared;
use super::view::Snapshot;

/// How long a purge waits between looks whether it may begin.
const PURGE_LOOK: Duration = Duration::from_millis(20);
/// How long a file that failed is left alone before it is opened again.
const REOPEN: Duration = Duration::from_secs(1);
/// Commits between looks at the size of the file.
const SIZE_LOOK: u64 = 256;

/// A message to the writer.
pub(super) enum Message {
    Work(Box<dyn Job>),
    /// There is something to do that is not in the message.
    Wake,
}

/// A piece of work: done in a transaction, answered when that is kept.
pub(super) trait Job: Send {
    /// Does it; may be called again where the transaction did not come about.
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault>;
    /// Answers; `failed` where the transaction was not kept.
    fn finish(self: Box<Self>, failed: Option<&Arc<StoreError>>);
}

struct Task<T, W> {
    work: W,
    answer: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// Makes a job of `work`, and where its answer comes.
pub(super) fn job<T, W>(work: W) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    W: FnMut(&mut Batch<'_>) -> Result<T, Fault> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let task = Task {
        work,
        answer: None,
        reply,
    };
    (Box::new(task), answer)
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnMut(&mut Batch<'_>) -> Result<T, Fault> + Send,
{
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault> {
        // Whoever asked went away before it began: then it does not happen.
        if self.reply.is_closed() {
            return Ok(());
        }
        self.answer = Some(match (self.work)(batch) {
            Err(Fault::Whole(error)) => return Err(Fault::Whole(error)),
            done => done.map_err(Fault::into_error),
        });
        Ok(())
    }

    fn finish(self: Box<Self>, failed: Option<&Arc<StoreError>>) {
        let answer = match (failed, self.answer) {
            (None, Some(answer)) => answer,
            (None, None) => return,
            (Some(error), _) => Err(StoreError::new(
                error.kind(),
                "the transaction it belonged to was not kept",
            )
            .because(Arc::clone(error))),
        };
        // Nobody waits any more: it happened all the same.
        drop(self.reply.send(answer));
    }
}

/// See the module.
pub(super) struct Writer {
    shared: Arc<Shared>,
    options: Options,
    opener: Opener,
    messages: mpsc::Receiver<Message>,
    /// For waits with an end.
    runtime: Runtime,
    database: Option<Database>,
    counters: Counters,
    purges: Vec<Purge>,
    touches_written: Instant,
    failed: Option<Instant>,
    commits: u64,
}

impl Writer {
    /// Opens the file and shows what is in it.
    pub(super) fn open(
        shared: Arc<Shared>,
        options: Options,
        opener: Opener,
        messages: mpsc::Receiver<Message>,
    ) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| of_io(error, "starting the writer"))?;
        let mut writer = Self {
            shared,
            options,
            opener,
            messages,
            runtime,
            database: None,
            counters: Counters::default(),
            purges: Vec::new(),
            touches_written: Instant::now(),
            failed: None,
            commits: 0,
        };
        writer.open_file()?;
        Ok(writer)
    }

    fn open_file(&mut self) -> Result<(), StoreError> {
        let database = self.opener.open()?;
        let shown = guarded(|| {
            let transaction = database.begin_read()?;
            let mut snapshot = Snapshot::new(&transaction, Default::default())?;
            let counters = Counters::read(snapshot.view())?;
            snapshot.epoch = counters.epoch;
            Ok((snapshot, counters))
        });
        let (snapshot, counters) = shown.map_err(Fault::into_error)?;
        self.counters = counters;
        self.shared.hot.clear();
        self.shared.set_epoch(counters.epoch);
        self.shared.show(Some(snapshot));
        self.show_revisions();
        self.database = Some(database);
        self.look_at_size();
        Ok(())
    }

    /// Works until the store is dropped, then writes what is left.
    pub(super) fn run(mut self) {
        while let Some(jobs) = self.next() {
            self.work_off(jobs);
        }
        while self.shared.hot.pending() > 0 && self.attempt(&mut [], true).is_ok() {}
        self.shared.show(None);
    }

    /// The next pieces of work, all that wait up to the limit; `None` at the end.
    fn next(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let wait = self.wait();
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
            next = (jobs.len() < self.options.batch)
                .then(|| self.messages.try_recv().ok())
                .flatten();
        }
        Some(jobs)
    }

    /// How long to wait for work at most, because there is some of its own.
    fn wait(&self) -> Option<Duration> {
        if self.failed.is_some() {
            return Some(REOPEN);
        }
        let touches = (self.shared.hot.pending() > 0).then(|| {
            self.options
                .touch_every
                .saturating_sub(self.touches_written.elapsed())
        });
        let purges = match &self.purges[..] {
            [] => None,
            purges if purges.iter().any(Purge::may_begin) => Some(Duration::ZERO),
            _ => Some(PURGE_LOOK),
        };
        touches.into_iter().chain(purges).min()
    }

    fn work_off(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let due = self.shared.hot.pending() > 0
            && self.touches_written.elapsed() >= self.options.touch_every;
        let kept = self.attempt(&mut jobs, due);
        match kept {
            // What is damaged is one's own affair: the others get another chance without him.
            Err(error) if error.kind() == ErrorKind::Corrupt && jobs.len() > 1 => {
                for job in jobs {
                    let mut alone = [job];
                    let kept = self.attempt(&mut alone, false);
                    let [job] = alone;
                    job.finish(kept.as_ref().err());
                }
            }
            kept => {
                for job in jobs {
                    job.finish(kept.as_ref().err());
                }
            }
        }
    }

    /// Does `jobs` in one transaction and keeps it; where that fails, nothing of it has happened.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>], touches: bool) -> Result<(), Arc<StoreError>> {
        let purge = self.purges.iter().any(Purge::may_begin);
        self.reopen().map_err(Arc::new)?;
        if jobs.is_empty() && !touches && !purge {
            return Ok(());
        }
        let counters = self.counters;
        let mut effects = Effects::default();
        let kept = guarded(|| self.transact(jobs, touches, &mut effects));
        match kept {
            Ok(snapshot) => {
                self.show(effects, snapshot);
                Ok(())
            }
            Err(fault) => {
                let error = fault.into_error();
                tracing::error!(%error, "a transaction was not kept");
                self.counters = counters;
                self.shared.set_epoch(counters.epoch);
                effects.roll_back(&self.shared.hot);
                // What its sessions are denied by stays; their rows go when they expire.
                self.purges.retain(|purge| !purge.trying);
                self.failed = Some(Instant::now());
                Err(Arc::new(error))
            }
        }
    }

    fn transact(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        touches: bool,
        effects: &mut Effects,
    ) -> Result<Option<Snapshot>, Fault> {
        let database = self
            .database
            .as_ref()
            .ok_or_else(|| Fault::Whole(unavailable("the database file is out of order")))?;
        let mut transaction = database.begin_write()?;
        // The state of the page allocator goes into every commit, so that opening after a crash takes
        // milliseconds and not a walk through the whole file.
        transaction.set_quick_repair(true);
        let mut batch = Batch::new(&transaction, effects, &mut self.counters, &self.shared.hot)?;
        for job in jobs {
            job.run(&mut batch)?;
        }
        if touches {
            write_touches(&mut batch, self.options.touches.max(1))?;
            self.touches_written = Instant::now();
        }
        if let Some(purge) = self.purges.iter_mut().find(|purge| purge.may_begin()) {
            purge.trying = true;
            purge.done = purge.step(&mut batch)?;
            purge.trying = false;
        }
        drop(batch);
        if !effects.dirty {
            transaction.abort()?;
            return Ok(None);
        }
        // A denial may be seen early: what is known as of the old epoch counts no longer.
        self.shared.set_epoch(self.counters.epoch);
        transaction.commit()?;
        let transaction = database.begin_read()?;
        Snapshot::new(&transaction, self.counters.epoch).map(Some)
    }

    /// Shows readers what was kept.
    fn show(&mut self, mut effects: Effects, snapshot: Option<Snapshot>) {
        self.purges.retain(|purge| !purge.done);
        self.purges.append(&mut effects.purges);
        let epoch = self.counters.epoch;
        if let Some(snapshot) = snapshot {
            self.shared.show(Some(snapshot));
        }
        match self.shared.snapshot() {
            Ok(snapshot) => effects.publish(&self.shared.hot, epoch, snapshot.view()),
            Err(_) => effects.roll_back(&self.shared.hot),
        }
        self.show_revisions();
        self.commits += 1;
        if self.commits.is_multiple_of(SIZE_LOOK) {
            self.look_at_size();
        }
    }

    fn show_revisions(&self) {
        for (index, shown) in self.shared.revisions.iter().enumerate().take(KINDS.len()) {
            let revision = self.counters.revisions[index];
            shown.send_if_modified(|shown| std::mem::replace(shown, revision) != revision);
        }
    }

    fn look_at_size(&self) {
        let larger = self.opener.len() > self.options.cache_bytes as u64;
        self.shared.may_block.store(larger, Ordering::Relaxed);
    }

    /// After a failure the engine answers nothing any more; the file is opened again, as after a crash, about once a second
    /// and also where nobody asks for anything. Until that succeeds readers are told so (S-17).
    fn reopen(&mut self) -> Result<(), StoreError> {
        match self.failed {
            None => return Ok(()),
            Some(when) if when.elapsed() < REOPEN && self.database.is_none() => {
                return Err(unavailable("the database file is out of order"));
            }
            Some(_) => {}
        }
        self.shared.show(None);
        self.shared.hot.clear();
        self.database = None;
        let opened = self.open_file();
        self.failed = opened.is_err().then(Instant::now);
        opened
    }
}
