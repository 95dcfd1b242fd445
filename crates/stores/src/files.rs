//! The files store: one folder a session, on a file system that several machines share.
//!
//! Written for NFS: no locks, no leases, no clocks and no order of directory entries are relied upon. Everything rests on
//! one step of the file server, `rename(2)` of a name that must be there: the state of an object is a file
//! name, and who moves the name has changed the object. A writer who was frozen finds his name gone, for ever.
//!
//! What is answered was synced before, file and folder. Readers show nothing that is not synced. A load reads the
//! revocation clock (one listing), the session's folder (one listing) and its content (one file).
//!
//! Time is the caller's: machines that share the folder need clocks that agree, as NTP keeps them.
//!
//! See `docs/stores/files.md` for mount options, capacity and what happens when.

mod epochs;
mod error;
#[doc(hidden)]
pub mod format;
mod gate;
#[doc(hidden)]
pub mod hook;
mod index;
mod intent;
mod io;
mod object;
mod open;
mod paths;
mod place;
mod pool;
mod queue;
mod registry;
mod remove;
mod revoke;
mod sessions;
mod store;
mod sweep;
mod turns;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cloakroom_core::store::{Kind, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::epochs::Known;
use self::hook::Hook;
use self::io::Io;
use self::pool::Pool;
use self::turns::Turns;
use crate::url::{Params, UrlError};

const KINDS: usize = Kind::Setting as usize + 1;

/// Where the store lies and how long it waits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder.
    pub path: PathBuf,
    /// Whether the folder is made a store where it is none yet. Default true. With false a mount that is not there is
    /// an error, and not a new and empty store underneath it.
    pub create: bool,
    /// How long an operation may take. Default 2 s.
    pub deadline: Duration,
    /// How long one may take that walks over many sessions: listings, revocations, sweeps. Each of its steps has the
    /// deadline above. Default 60 s.
    pub scan_deadline: Duration,
    /// Threads that may wait for the file server at the same time. Default 32.
    pub threads: usize,
    /// For tests.
    #[doc(hidden)]
    pub hook: Hook,
}

impl Options {
    /// The defaults for a folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            create: true,
            deadline: Duration::from_secs(2),
            scan_deadline: Duration::from_secs(60),
            threads: 32,
            hook: Hook::default(),
        }
    }

    /// Reads `files:PATH?create=never&deadline=2s&scan_deadline=60s&threads=32`. The path is taken as it stands, up to
    /// the first question mark; behind it are parameters, all of which have defaults.
    ///
    /// # Errors
    /// [`UrlError`] names the part that cannot be read.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let form = UrlError::Form("files:PATH");
        let rest = url.strip_prefix("files:").ok_or_else(|| form.clone())?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.is_empty() {
            return Err(form);
        }
        let mut params = Params::of(query)?;
        let mut options = Self::at(path);
        if let Some(create) = params.read("create", "auto or never", |text| match text {
            "auto" => Some(true),
            "never" => Some(false),
            _ => None,
        })? {
            options.create = create;
        }
        options.deadline = params.duration("deadline")?.unwrap_or(options.deadline);
        options.scan_deadline = params
            .duration("scan_deadline")?
            .unwrap_or(options.scan_deadline);
        options.threads = params.count("threads")?.unwrap_or(options.threads);
        params.finish()?;
        Ok(options)
    }
}

/// Sessions, replay guard and registry in a folder; see the module.
pub struct FilesStore {
    files: Arc<Files>,
    pool: Pool,
    turns: Turns,
    deadline: Duration,
    scan_deadline: Duration,
}

/// What the threads work with.
struct Files {
    io: Io,
    known: Mutex<Known>,
    /// Whether a touch was noted since the last flush.
    unsynced: AtomicBool,
    bells: [Notify; KINDS],
}

impl FilesStore {
    /// Opens the store, and makes it (folders of mode 0700, files of mode 0600) where it is none yet.
    ///
    /// # Errors
    /// Of kind `unavailable` where the folder is not there or does not answer, `denied` where it may not be used or holds
    /// something else.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        let pool = Pool::new(options.threads);
        let (deadline, scan_deadline) = (options.deadline, options.scan_deadline);
        let files = pool
            .run(deadline, scan_deadline, move || open::open(&options))
            .await?;
        Ok(Self {
            files: Arc::new(files),
            pool,
            turns: Turns::default(),
            deadline,
            scan_deadline,
        })
    }
}

impl fmt::Debug for FilesStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilesStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let options = Options::from_url("files:/srv/a b%41").unwrap();
        assert_eq!(options.path, PathBuf::from("/srv/a b%41"));
        assert!(options.create);
        let options = Options::from_url("files:x?create=never&deadline=5s&threads=4").unwrap();
        assert_eq!((options.create, options.threads), (false, 4));
        assert_eq!(options.deadline, Duration::from_secs(5));
        for wrong in [
            "files:",
            "files:?threads=1",
            "file:/x",
            "files:x?thread=1",
            "files:x?create=no",
        ] {
            assert!(Options::from_url(wrong).is_err(), "{wrong}");
        }
    }
}
