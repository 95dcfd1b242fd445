//! The data directory: made private, and held by one process at a time.

use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The folders below; each 0700 whatever the directory itself is.
const FOLDERS: [&str; 3] = ["store", "keys", "audit"];

/// The data directory, locked for this process. The lock goes with the value, and with the process however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("the data directory {} is in use by process {}", path.display(), process.as_deref().unwrap_or("(unknown)"))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that holds it, as it wrote itself down.
        process: Option<String>,
    },
    /// It cannot be made or written.
    #[error("the data directory {}: {source}", path.display())]
    Io {
        /// The directory or the file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the directory where it is missing (0700) and locks it.
    ///
    /// # Errors
    /// Where another process holds it, or it cannot be made.
    pub fn open(path: &Path) -> Result<Self, LockError> {
        let io_error = |source| LockError::Io {
            path: path.to_path_buf(),
            source,
        };
        make_private(path).map_err(io_error)?;
        let lock = lock(path)?;
        for folder in FOLDERS {
            make_private(&path.join(folder)).map_err(io_error)?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a folder that only we can look into. One that is there already is closed to others only if it is empty or
/// plainly ours: `--data-dir /tmp` must not change the mode of `/tmp`.
fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(false).mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent)?;
            }
            return DirBuilder::new().mode(0o700).create(path);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = fs::metadata(path)?;
    if !found.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            "is not a directory",
        ));
    }
    let is_open = found.mode() & 0o077 != 0;
    let is_ours = found.uid() == rustix::process::geteuid().as_raw()
        && (path.join("lock").exists() || fs::read_dir(path)?.next().is_none());
    if is_open && is_ours {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    } else if is_open {
        tracing::warn!(path = %path.display(), "the data directory can be listed by others; what is in it cannot be read by them");
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, LockError> {
    let file_path = path.join("lock");
    let io_error = |source| LockError::Io {
        path: file_path.clone(),
        source,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file_path)
        .map_err(io_error)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            let process = Some(text.trim().to_owned()).filter(|t| !t.is_empty());
            return Err(LockError::InUse {
                path: path.to_path_buf(),
                process,
            });
        }
        Err(error) => return Err(io_error(error.into())),
    }
    // Only for the message above; the lock itself is the kernel's.
    let note = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    note.map_err(io_error)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn it_is_private_and_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let held = DataDir::open(&path).unwrap();
        assert_eq!(
            [
                mode(&path),
                mode(&path.join("store")),
                mode(&path.join("keys")),
                mode(&path.join("lock"))
            ],
            [0o700, 0o700, 0o700, 0o600]
        );
        let told = DataDir::open(&path).unwrap_err().to_string();
        assert_eq!(
            told,
            format!(
                "the data directory {} is in use by process {}",
                path.display(),
                std::process::id()
            )
        );
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn an_empty_directory_is_closed_and_a_foreign_one_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, foreign) = (folder.path().join("empty"), folder.path().join("foreign"));
        for path in [&empty, &foreign] {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(foreign.join("somebody's"), "").unwrap();
        let _held = (
            DataDir::open(&empty).unwrap(),
            DataDir::open(&foreign).unwrap(),
        );
        assert_eq!(
            (mode(&empty), mode(&foreign), mode(&foreign.join("store"))),
            (0o700, 0o755, 0o700)
        );
    }

    #[test]
    fn a_file_in_its_place_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(
            DataDir::open(&path)
                .unwrap_err()
                .to_string()
                .contains("is not a directory")
        );
    }
}
