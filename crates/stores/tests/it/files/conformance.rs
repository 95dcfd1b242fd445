//! The suite that every store passes, on two handles of one folder.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_conformance::{Fixture, ManualClock, Offered};
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::Options;
use cloakroom_stores::files::hook::Hook;
use tempfile::TempDir;
use tokio::runtime::Handle;

struct InFolder {
    folder: TempDir,
    store: Option<Arc<FilesStore>>,
    /// No step of the handles of now is done any more.
    off: Arc<AtomicBool>,
    clock: ManualClock,
}

async fn start(folder: &Path, off: &Arc<AtomicBool>) -> Arc<FilesStore> {
    let off = Arc::clone(off);
    let mut options = Options::at(folder);
    // The machine may be busy; nothing here is to hang.
    options.deadline = Duration::from_secs(30);
    options.hook = Hook::new(move |_| match off.load(Ordering::SeqCst) {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(()),
    });
    Arc::new(FilesStore::connect(options).await.unwrap())
}

/// The content of a session.
pub(super) fn content_of(folder: &Path, id: SessionId) -> std::path::PathBuf {
    let hex: String = id
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let session = folder.join("s").join(&hex[..3]).join(&hex);
    let mut files = fs::read_dir(session)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_content = |path: &std::path::PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("d.")
    };
    files.find(is_content).unwrap()
}

impl Fixture for InFolder {
    type Store = FilesStore;
    type Registry = FilesStore;

    async fn open() -> Self {
        let folder = super::folder();
        let off = Arc::default();
        let store = Some(start(folder.path(), &off).await);
        Self {
            folder,
            store,
            off,
            clock: ManualClock::default(),
        }
    }

    fn store(&self) -> Arc<FilesStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn registry(&self) -> Option<Arc<FilesStore>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        // What was under way goes no further, as in a process that is killed.
        self.off.store(true, Ordering::SeqCst);
        self.store = None;
        self.off = Arc::default();
        self.store = Some(start(self.folder.path(), &self.off).await);
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        let path = content_of(self.folder.path(), id);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
        Offered::Done
    }

    async fn cut_off(&mut self, off: bool) -> Offered {
        self.off.store(off, Ordering::SeqCst);
        Offered::Done
    }

    fn second_store(&self) -> Option<Arc<FilesStore>> {
        let (folder, off) = (super::again(self.folder.path()), &self.off);
        let open = || Handle::current().block_on(start(&folder, off));
        Some(tokio::task::block_in_place(open))
    }

    fn second_registry(&self) -> Option<Arc<FilesStore>> {
        self.second_store()
    }
}

cloakroom_conformance::suite!(InFolder);
