//! The files store: the contract, faults of a shared file system, crashes at every step, processes that share a folder.

mod clearing;
mod conformance;
mod cost;
mod damage;
mod faults;
mod faulty_fs;
mod frozen;
mod hang;
pub(crate) mod hostile;
mod mounts;
mod order;
mod processes;
mod races;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_stores::FilesStore;
use cloakroom_stores::files::Options;
use cloakroom_stores::files::hook::Hook;
use tempfile::TempDir;

use crate::soak;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Where tests make their folders, and where the same place is mounted again: for tests on a real file server.
const HERE: &str = "CLOAKROOM_TEST_FILES";
const AGAIN: &str = "CLOAKROOM_TEST_FILES_AGAIN";

/// A folder in memory where there is one: what is tested is order, not disks. A soak is on a disk.
fn folder() -> TempDir {
    let memory = if soak(1, 0) == 1 {
        "/dev/shm"
    } else {
        "/nowhere"
    };
    let here = std::env::var_os(HERE).unwrap_or_else(|| memory.into());
    TempDir::new_in(here).or_else(|_| TempDir::new()).unwrap()
}

/// The same folder as another client has it.
fn again(folder: &Path) -> PathBuf {
    match std::env::var_os(AGAIN) {
        Some(again) => Path::new(&again).join(folder.file_name().unwrap()),
        None => folder.to_owned(),
    }
}

async fn open_with(folder: &Path, hook: Hook) -> FilesStore {
    let mut options = Options::at(folder);
    // The machine may be busy; only the tests of deadlines have short ones.
    options.deadline = Duration::from_secs(60);
    options.hook = hook;
    FilesStore::connect(options).await.unwrap()
}

async fn open(folder: &Path) -> FilesStore {
    open_with(folder, Hook::default()).await
}
