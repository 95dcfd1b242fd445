//! A key in a file below `keys/`.

use super::{Bytes32, drawn};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use zeroize::{Zeroize, Zeroizing};

/// Reads the key, or makes it. It is written aside and linked into place, so that a crash leaves the whole file or none,
/// and of two processes that start at once both use the first one's.
pub(super) fn kept(folder: &Path, name: &str) -> io::Result<Bytes32> {
    let path = folder.join(name);
    if let Some(bytes) = read(&path)? {
        return Ok(bytes);
    }
    let aside = folder.join(format!("{name}.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(&*drawn())?;
    file.sync_all()?;
    match fs::hard_link(&aside, &path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    fs::remove_file(&aside)?;
    File::open(folder)?.sync_all()?;
    read(&path)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "vanished while it was made"))
}

/// The key, if there is one.
pub(super) fn read(path: &Path) -> io::Result<Option<Bytes32>> {
    let mut found = match fs::read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = <[u8; 32]>::try_from(found.as_slice());
    found.zeroize();
    bytes
        .map(|bytes| Some(Zeroizing::new(bytes)))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not 32 bytes long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const FILE: &str = "some.key";

    #[test]
    fn the_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept(folder.path(), FILE).unwrap();
        assert_eq!(kept(folder.path(), FILE).unwrap(), first);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), b"short").unwrap();
        let told = kept(folder.path(), FILE).unwrap_err().to_string();
        assert!(told.contains("32 bytes"), "{told}");
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"short");
    }
}
