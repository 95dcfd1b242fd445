//! `control.sock`: how commands reach the running server. Its file permissions are the credential.

use super::{DataDir, listener::Listener};
use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

const NAME: &str = "control.sock";

/// The longest path that fits into a socket address.
const LONGEST: usize = 107;

/// The path to use for the socket in this data directory, and what must be kept open while it is used: a path too long
/// for a socket address is reached through the directory's file descriptor.
///
/// # Errors
/// Where the directory cannot be opened.
pub fn socket_path(data_dir: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = data_dir.join(NAME);
    if path.as_os_str().len() <= LONGEST {
        return Ok((path, None));
    }
    let folder = File::open(data_dir)?;
    Ok((
        PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd())),
        Some(folder),
    ))
}

/// Binds the socket, 0600. A file that is there is left over from a killed process: we hold the directory's lock.
pub(super) fn bind(data_dir: &DataDir) -> Result<Listener, String> {
    let name = data_dir.path().join(NAME);
    let told = |error: io::Error| format!("cannot listen on {}: {error}", name.display());
    let (path, _open) = socket_path(data_dir.path()).map_err(told)?;
    match fs::remove_file(&name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(told(error)),
    }
    let listener = Listener::bind_unix(&path, name.clone()).map_err(told)?;
    fs::set_permissions(&name, fs::Permissions::from_mode(0o600)).map_err(told)?;
    Ok(listener)
}
