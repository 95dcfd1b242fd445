//! `[bootstrap]`: the first API key, without a shell.
//!
//! As long as it is configured, the text in the configuration or in the file is the key called `bootstrap`, with scope
//! `admin`: at every start it takes the place of another one of this name. Where the file does not exist, a key is made
//! and written there (0600), so that the service beside can read it. To be rid of the key, take the setting away and
//! revoke it.

use super::{ApiKey, ApiKeys, Scope};
use crate::config::Bootstrap;
use cloakroom_core::Timestamp;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

const NAME: &str = "bootstrap";

/// Puts the configured first key in place.
///
/// # Errors
/// What went wrong, as one line for the operator.
pub async fn bootstrap(config: &Bootstrap, keys: &ApiKeys, now: Timestamp) -> Result<(), String> {
    let text = match (&config.api_key, &config.api_key_file) {
        (None, None) => return Ok(()),
        (Some(text), file) => {
            file.as_deref().map(warn_of_readers);
            Zeroizing::new(text.expose().to_owned())
        }
        (None, Some(file)) => make(file).map_err(|error| told(file, &error))?,
    };
    let key = ApiKey::of_text(&text, vec![Scope::Admin], now.as_millis())
        .ok_or("bootstrap.api_key is not 32 to 256 printable characters without spaces")?;
    let adopted = keys.adopt(NAME, &key, now).await;
    adopted.map_err(|error| format!("the bootstrap API key: {error}"))
}

fn told(file: &Path, error: &io::Error) -> String {
    format!("bootstrap.api_key_file: {}: {error}", file.display())
}

/// Draws a key into the file. It is written aside and linked into place: whoever waits for the file reads a whole key, and
/// of two nodes that share it both use the first one's.
fn make(file: &Path) -> io::Result<Zeroizing<String>> {
    let made = ApiKey::draw(Vec::new(), None, 0);
    let mut aside = file.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = Path::new(&aside);
    let mut open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(aside)?;
    open.write_all(made.text.as_bytes())?;
    open.write_all(b"\n")?;
    open.sync_all()?;
    let linked = fs::hard_link(aside, file);
    fs::remove_file(aside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    let text = Zeroizing::new(fs::read_to_string(file)?);
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}

fn warn_of_readers(file: &Path) {
    let readable = fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o004 != 0);
    if readable {
        tracing::warn!(file = %file.display(), "every user of this machine can read the bootstrap API key");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("api.key");
        let first = make(&file).unwrap();
        assert_eq!(make(&file).unwrap(), first);
        assert!(ApiKey::of_text(&first, Vec::new(), 0).is_some());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(make(&folder.path().join("nowhere/api.key")).is_err());
    }
}
