//! The embedded store: on local disk, in this process, on redb.
//!
//! One thread writes. Requests that arrive while it commits are done together in its next transaction, and each is
//! answered only after that is synced to the disk; a kill loses nothing that was acknowledged. Reads come from a bounded
//! map of decoded records, else from the committed state of the file, and never see what is under way. Touches are
//! collected in memory, seen by readers at once, and written about once a second: what a crash can cost is that a
//! session ends early by that much and the touch threshold.
//!
//! # Damage
//!
//! The engine checks its pages only after a crash, so bytes that rot while nobody looks are ours to notice (S-16). Every
//! value is sealed with its key. A session that is not found is answered so only if the rows around its place are whole
//! and in order; a damaged key, or a branch of the tree that leads astray, breaks one of them. Not noticed are a page
//! that says it holds fewer rows than it does, a branch that leads to an older state of its page, and damaged *keys* of
//! other tables: a session then misses in listings (revocations hold without the index), is not swept, or a not-before,
//! a replay key or a registry entry is as if it were not there.
//!
//! # The file
//!
//! It grows by 16 MiB at a time and gives back what is empty at its end; at a start it is compacted where it is large
//! and little is in it. From about 60,000 small sessions on its length stays below 3 times their bytes; before that it
//! doubles, up to 16 MiB. A session holds at most 8 MiB of data, so that its row fits into one such step.

mod batch;
mod error;
mod file;
mod hot;
mod regions;
mod registry;
mod revoke;
mod sessions;
mod shared;
mod store;
mod sweep;
mod tables;
mod view;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use cloakroom_core::store::StoreError;
use redb::StorageBackend;
use tokio::sync::mpsc;

use self::batch::Batch;
use self::error::{Fault, of_io, unavailable};
use self::file::Opener;
use self::shared::Shared;
use self::writer::{Message, Writer, job};

/// How much memory the store may use and how it groups its writes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of file pages that the engine keeps in memory. Default 64 MiB.
    pub cache_bytes: usize,
    /// Bytes of decoded records that are kept in front of it. Default 64 MiB; 0 for none.
    pub hot_bytes: usize,
    /// Requests that wait for the writer at most; one more waits outside. Default 4,096.
    pub queue: usize,
    /// Requests that one transaction carries at most. Default 1,024.
    pub batch: usize,
    /// How long a touch waits at most before it is written. Default 1 s.
    pub touch_every: Duration,
    /// Touches that one transaction carries at most. Default 4,096.
    pub touches: usize,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            cache_bytes: 64 * MIB,
            hot_bytes: 64 * MIB,
            queue: 4096,
            batch: 1024,
            touch_every: Duration::from_secs(1),
            touches: 4096,
        }
    }
}

/// Sessions, replay guard and registry in one file; see the module.
///
/// Dropping it writes what is batched and closes the file.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    messages: Option<mpsc::Sender<Message>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens the store in the directory `path`, and makes it (mode 0700) where it is missing.
    ///
    /// Takes milliseconds, whatever is in it. Blocks for that long.
    ///
    /// # Errors
    /// Of kind `denied` where another process has it open, where the files may not be read or written, or where
    /// another release wrote them; `corrupt` where they are damaged.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let opener = Opener::at(path.as_ref(), options.cache_bytes);
        Self::start(opener, options)
    }

    /// Opens the store on a storage backend instead of a file: for tests that crash it.
    ///
    /// `make` is called again where the store recovers from a failure of the backend.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open`].
    pub fn open_on<B: StorageBackend>(
        make: impl Fn() -> io::Result<B> + Send + 'static,
        options: Options,
    ) -> Result<Self, StoreError> {
        let opener = Opener::on(make, options.cache_bytes);
        Self::start(opener, options)
    }

    fn start(opener: Opener, options: Options) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::new(options.hot_bytes));
        let (messages, received) = mpsc::channel(options.queue.max(1));
        let (opened, is_open) = std::sync::mpsc::sync_channel(1);
        let writer = {
            let shared = Arc::clone(&shared);
            // The file is opened there too: the caller's thread may be one that must not own a runtime.
            let write = move || match Writer::open(shared, options, opener, received) {
                Ok(writer) => {
                    drop(opened.send(Ok(())));
                    writer.run();
                }
                Err(error) => drop(opened.send(Err(error))),
            };
            let thread = std::thread::Builder::new().name("cloakroom-store".into());
            thread
                .spawn(write)
                .map_err(|error| of_io(error, "starting the writer"))?
        };
        let store = Self {
            shared,
            messages: Some(messages),
            writer: Some(writer),
        };
        is_open
            .recv()
            .unwrap_or_else(|_| Err(unavailable("the writer has stopped")))?;
        Ok(store)
    }

    /// Has `work` done in the writer's next transaction; the answer comes when that is kept.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Batch<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || unavailable("the writer has stopped");
        let messages = self.messages.as_ref().ok_or_else(gone)?;
        let (job, answer) = job(work);
        messages
            .send(Message::Work(job))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Tells the writer, if it sleeps, that there is something to do.
    fn wake(&self) {
        if let Some(messages) = &self.messages {
            // A full queue means that it is awake.
            drop(messages.try_send(Message::Wake));
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the embedded store had panicked");
        }
    }
}
