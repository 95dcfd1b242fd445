//! Every step on the file system, one function each: here they are counted, retried where that is safe, and stopped
//! past the deadline of their operation.

use std::cell::RefCell;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::hook::{Hook, Moment, Step};

/// How often a handle that the file server no longer knows is looked up again.
const STALE_TRIES: u32 = 6;
const READ_MAX: u64 = 32 * 1024 * 1024;

/// Steps that an operation has done.
pub(super) type Progress = Arc<AtomicU64>;

thread_local! {
    /// Until when the operation of this thread may begin another step, and where it counts them.
    static OPERATION: RefCell<Option<(Instant, Progress)>> = const { RefCell::new(None) };
}

/// Runs `work`, whose steps fail once `until` is past: a process that was frozen does not go on where it stopped.
pub(super) fn until<T>(until: Instant, progress: Progress, work: impl FnOnce() -> T) -> T {
    OPERATION.set(Some((until, progress)));
    let done = work();
    OPERATION.set(None);
    done
}

fn check_time() -> io::Result<()> {
    OPERATION.with_borrow(|operation| match operation {
        Some((until, _)) if *until < Instant::now() => Err(io::ErrorKind::TimedOut.into()),
        Some((_, progress)) => {
            progress.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        None => Ok(()),
    })
}

/// The folder of the store, by a handle: where the mount goes away, nothing is looked for underneath it.
pub(super) struct Io {
    path: PathBuf,
    root: RwLock<Arc<OwnedFd>>,
    /// What `FORMAT` said at the start; another text is another store.
    identity: Mutex<Option<Vec<u8>>>,
    hook: Hook,
}

impl Io {
    /// Opens the folder.
    pub(super) fn open(path: PathBuf, hook: Hook) -> io::Result<Self> {
        let root = open_root(&path)?;
        Ok(Self {
            path,
            root: RwLock::new(Arc::new(root)),
            identity: Mutex::new(None),
            hook,
        })
    }

    /// From here on the folder is the one whose `FORMAT` says this.
    pub(super) fn identify(&self, identity: Vec<u8>) {
        *self.identity.lock() = Some(identity);
    }

    fn step<T>(
        &self,
        name: &'static str,
        path: &str,
        act: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        let step = |moment| Step { name, path, moment };
        self.hook.tell(step(Moment::Before))?;
        // After the hook, which may have taken long.
        check_time()?;
        let mut stale = 0;
        let done = loop {
            let root = Arc::clone(&self.root.read());
            match act(root.as_fd()) {
                Err(Errno::INTR) => {}
                Err(Errno::STALE) if stale < STALE_TRIES => {
                    std::thread::sleep(Duration::from_millis((1 << stale) - 1));
                    stale += 1;
                    self.reopen()?;
                }
                done => break done,
            }
        };
        self.hook.tell(step(Moment::After))?;
        Ok(done?)
    }

    /// The file server no longer knows a handle: opens the folder anew, if it is still the same.
    fn reopen(&self) -> io::Result<()> {
        let root = open_root(&self.path)?;
        if let Some(identity) = &*self.identity.lock() {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let format = rustix::fs::openat(&root, "FORMAT", flags, Mode::empty())?;
            let mut found = Vec::new();
            File::from(format).read_to_end(&mut found)?;
            if found != *identity {
                return Err(Errno::STALE.into());
            }
        }
        *self.root.write() = Arc::new(root);
        Ok(())
    }

    /// The names in a folder, in no order. Those that an NFS client hides removed files under are left out.
    pub(super) fn names(&self, path: &str) -> io::Result<Vec<String>> {
        self.step("list", path, |root| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::openat(root, path, flags, Mode::empty())?;
            let mut buffer = [MaybeUninit::uninit(); 8192];
            let mut entries = RawDir::new(folder, &mut buffer);
            let mut names = Vec::new();
            while let Some(entry) = entries.next() {
                if let Ok(name) = CStr::to_str(entry?.file_name())
                    && !name.starts_with('.')
                {
                    names.push(name.to_owned());
                }
            }
            Ok(names)
        })
    }

    /// The bytes of a file.
    pub(super) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.step("read", path, |root| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            rustix::fs::openat(root, path, flags, Mode::empty())
        })?;
        let mut bytes = Vec::new();
        File::from(file).take(READ_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A new empty file; one that is there is an error.
    pub(super) fn create(&self, path: &str) -> io::Result<()> {
        self.make(path).map(drop)
    }

    fn make(&self, path: &str) -> io::Result<File> {
        let file = self.step("create", path, |root| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            rustix::fs::openat(root, path, flags, Mode::RUSR | Mode::WUSR)
        })?;
        Ok(File::from(file))
    }

    /// A new file with these bytes, synced. Where that fails it is as if it had not been.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.make(path)?;
        let written = self
            .step("write", path, |_| Ok(()))
            .and_then(|()| file.write_all(bytes))
            .and_then(|()| self.step("sync", path, |_| rustix::fs::fsync(&file)));
        if written.is_err() {
            drop(self.unlink(path));
        }
        written
    }

    /// A new folder; one that is there is an error.
    pub(super) fn mkdir(&self, path: &str) -> io::Result<()> {
        self.step("mkdir", path, |root| {
            rustix::fs::mkdirat(root, path, Mode::RWXU)
        })
    }

    /// Moves a name, in one step. Nothing is ever moved onto a file or onto a folder with something in it.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step("rename", to, |root| {
            rustix::fs::renameat(root, from, root, to)
        })
    }

    /// A second name for a file; one that is there is an error.
    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.step("link", to, |root| {
            rustix::fs::linkat(root, from, root, to, AtFlags::empty())
        })
    }

    pub(super) fn unlink(&self, path: &str) -> io::Result<()> {
        self.step("unlink", path, |root| {
            rustix::fs::unlinkat(root, path, AtFlags::empty())
        })
    }

    pub(super) fn rmdir(&self, path: &str) -> io::Result<()> {
        self.step("rmdir", path, |root| {
            rustix::fs::unlinkat(root, path, AtFlags::REMOVEDIR)
        })
    }

    /// What was done to the names in a folder is kept from here on.
    pub(super) fn sync(&self, path: &str) -> io::Result<()> {
        self.step("sync folder", path, |root| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::openat(root, path, flags, Mode::empty())?;
            rustix::fs::fsync(folder)
        })
    }

    /// Everything that was done in the file system is kept from here on.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        self.step("sync all", "", |root| rustix::fs::syncfs(root))
    }

    /// When a file was last written, by the file server's clock, in seconds since 1970.
    pub(super) fn modified(&self, path: &str) -> io::Result<i64> {
        self.step("stat", path, |root| {
            rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| stat.st_mtime)
        })
    }
}

fn open_root(path: &std::path::Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Whether a step failed because what it names is not there.
pub(super) fn absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether what a step was given was removed while it looked.
pub(super) fn stale(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StaleNetworkFileHandle
}

/// Whether a step failed because its place is taken.
pub(super) fn taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
    )
}
