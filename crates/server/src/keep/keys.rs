//! The key from which renewed tokens are derived: from the configuration, from `keys/`, or made for this run.

use crate::{config, serve::DataDir};
use cloakroom_core::token::RenewalKey;
use hkdf::Hkdf;
use rand::Rng;
use sha2::Sha256;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use zeroize::Zeroize;

/// The file below `keys/`: 32 random bytes, readable by us alone.
const FILE: &str = "renewal.key";

/// What the derived key is for (RFC 5869 `info`); a key for another purpose has another name.
const PURPOSE: &[u8] = b"cloakroom renewal key v1";

pub(super) fn renewal(
    keys: &config::Keys,
    data_dir: Option<&DataDir>,
) -> Result<RenewalKey, String> {
    let mut bytes = match (&keys.secret, data_dir) {
        (Some(secret), _) => derived(secret),
        (None, Some(data_dir)) => kept(&data_dir.path().join("keys"))
            .map_err(|error| format!("the key file keys/{FILE}: {error}"))?,
        (None, None) => drawn(),
    };
    let key = RenewalKey::from_bytes(bytes);
    bytes.zeroize();
    Ok(key)
}

fn drawn() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn derived(secret: &config::Secret) -> [u8; 32] {
    let mut bytes = [0; 32];
    // RFC 5869 allows up to 255 blocks; this is one, so it cannot be refused.
    let expanded =
        Hkdf::<Sha256>::new(None, secret.expose().as_bytes()).expand(PURPOSE, &mut bytes);
    debug_assert!(expanded.is_ok());
    bytes
}

/// Reads the key, or makes it. It is written aside and linked into place, so that a crash leaves the whole file or none,
/// and of two processes that start at once both use the first one's.
fn kept(folder: &Path) -> io::Result<[u8; 32]> {
    let path = folder.join(FILE);
    if let Some(bytes) = read(&path)? {
        return Ok(bytes);
    }
    let aside = folder.join(format!("{FILE}.{}", std::process::id()));
    let mut bytes = drawn();
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    bytes.zeroize();
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

fn read(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut found = match fs::read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = <[u8; 32]>::try_from(found.as_slice());
    found.zeroize();
    bytes
        .map(Some)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not 32 bytes long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept(folder.path()).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), first);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), b"short").unwrap();
        assert!(
            kept(folder.path())
                .unwrap_err()
                .to_string()
                .contains("32 bytes")
        );
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"short");
    }
}
