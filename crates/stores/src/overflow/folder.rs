//! The folder on disk: one for each process, gone at its end; what a killed one left is cleared by the next.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use cloakroom_core::store::{ErrorKind, StoreError};

use crate::embedded::{EmbeddedStore, Options};

const PREFIX: &str = "overflow-";

/// A folder that goes when this does.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new one below `path`, which is made (mode 0700) where it is missing.
    pub(super) fn below(path: &Path) -> Result<Self, StoreError> {
        make(path).map_err(|error| cannot("making the overflow folder", error))?;
        clear(path);
        for number in 0.. {
            let folder = path.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot("making the overflow folder", error)),
            }
        }
        Err(StoreError::new(
            ErrorKind::Denied,
            "naming the overflow folder",
        ))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now, the next start removes.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn make(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Removes what nobody has open: the file of a living process is locked.
fn clear(path: &Path) {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries {
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        if !is_ours {
            continue;
        }
        let options = Options {
            cache_bytes: 0,
            hot_bytes: 0,
            ..Options::default()
        };
        let left = match EmbeddedStore::open(entry.path(), options) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::Corrupt,
        };
        if left && fs::remove_dir_all(entry.path()).is_err() {
            tracing::warn!(path = %entry.path().display(), "an old overflow folder cannot be removed");
        }
    }
}

fn cannot(what: &'static str, error: io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, what).because(error)
}
