//! The SQLite store: one file on a local disk, for one machine and any number of processes on it.
//!
//! One thread a process writes. Requests that arrive while it commits are done together in its next transaction, and
//! each is answered only after the log is synced to the disk. Readers have connections of their own, see what is
//! committed, and wait for nobody. Processes take turns to write; none keeps anything in memory that another one could
//! have changed. Touches are collected in memory, seen by readers of the same process at once, and written about once a
//! second.
//!
//! # Damage
//!
//! SQLite does not check what its pages hold, so every value that decides something is sealed with its key. A session
//! that is not found is answered so only if the rows around its place are whole. Not noticed are damaged keys of other
//! tables, as in the embedded store.

mod error;
mod job;
mod place;
mod rows;
mod schema;
mod shared;
mod store;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_core::store::StoreError;
use tokio::sync::mpsc;

use self::error::{of_io, unavailable};
use self::job::job;
use self::rows::Rows;
use self::shared::Shared;
use self::writer::{Message, Writer};
use crate::url::UrlError;

/// Where the file is, and how the store works with it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The database file. Its folder is made, with mode 0700, where it is missing.
    pub path: PathBuf,
    /// How long an operation may take at most, waiting for other processes included. Default 2 s.
    pub deadline: Duration,
    /// Connections that read at the same time. Default 4.
    pub readers: usize,
    /// Requests that wait for the writer at most; one more waits outside. Default 4,096.
    pub queue: usize,
    /// Requests that one transaction carries at most. Default 1,024.
    pub batch: usize,
    /// How long a touch waits at most before it is written. Default 1 s.
    pub touch_every: Duration,
}

impl Options {
    /// The defaults, for the file at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            deadline: Duration::from_secs(2),
            readers: 4,
            queue: 4096,
            batch: 1024,
            touch_every: Duration::from_secs(1),
        }
    }

    /// Reads `sqlite:PATH`. The path is taken literally, to its end; it names the file.
    ///
    /// # Errors
    /// [`UrlError::Form`] where it is something else.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::at(path)),
            _ => Err(UrlError::Form("sqlite:PATH")),
        }
    }
}

/// Sessions, replay guard and registry in one SQLite file; see the module.
///
/// Dropping it writes what is batched and closes the file.
pub struct SqliteStore {
    shared: Arc<Shared>,
    messages: Option<mpsc::Sender<Message>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the file, makes it (mode 0600) where it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// Of kind `denied` where the file may not be read or written, or is another program's or a later release's;
    /// `corrupt` where it is no database or is damaged; `unavailable` where other processes keep it from being opened.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::new(options)?);
        let preparing = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || preparing.place.prepare())
            .await
            .unwrap_or_else(|error| Err(unavailable("opening the database").because(error)))?;
        let (messages, received) = mpsc::channel(shared.options.queue.max(1));
        let writer = Writer::new(Arc::clone(&shared), received)?;
        let thread = std::thread::Builder::new().name("cloakroom-store".into());
        let writer = thread
            .spawn(move || writer.run())
            .map_err(|error| of_io(error, "starting the writer"))?;
        Ok(Self {
            shared,
            messages: Some(messages),
            writer: Some(writer),
        })
    }

    /// Has `work` done in the writer's next transaction; the answer comes when that is kept.
    async fn write<T: Send + 'static>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Rows<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || unavailable("the writer has stopped");
        let messages = self.messages.as_ref().ok_or_else(gone)?;
        let writing = async {
            let (job, answer) = job(now, work);
            messages
                .send(Message::Work(job))
                .await
                .map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        tokio::time::timeout(self.shared.options.deadline, writing)
            .await
            .unwrap_or_else(|_| Err(unavailable("writing to the database took too long")))
    }

    /// Tells the writer, if it sleeps, that there are touches to write.
    fn wake(&self) {
        if let Some(messages) = &self.messages {
            // A full queue means that it is awake.
            drop(messages.try_send(Message::Wake));
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the SQLite store had panicked");
        }
    }
}
