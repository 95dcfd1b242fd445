//! Where the data of tests lies.

use std::path::{Path, PathBuf};

/// In memory, where there is room: it is processes that die here, never the machine.
pub fn quick_place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
    if room > 2 << 30 {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
