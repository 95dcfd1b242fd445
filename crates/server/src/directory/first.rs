//! The first start makes the user `admin`.

use super::{Directory, Error, NewPerson, password, people::Inner};
use bytes::Bytes;
use cloakroom::core::store::{Expected, Kind};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The user of the first start.
const ADMIN: &str = "admin";

/// The registry's note that the first start has been.
const STARTED: &str = "directory-first-start";

/// The user `admin` was made.
#[derive(Debug)]
pub struct FirstAdmin {
    /// The name.
    pub name: &'static str,
    /// The password.
    pub password: Zeroizing<String>,
    /// Where it was written; `None` where it has to be shown on the terminal.
    pub file: Option<PathBuf>,
}

impl Directory {
    /// On the first start, makes the user `admin` with a password that is told once: on the terminal if there is one (or
    /// where nothing may be written), else in the file that [`Directory::new`] was given.
    ///
    /// Of nodes that start together on one registry, exactly one makes the user and tells the password.
    ///
    /// # Errors
    /// What went wrong, as one line for the operator.
    pub async fn first_start(&self, has_terminal: bool) -> Result<Option<FirstAdmin>, String> {
        let told = |error: Error| format!("the directory: {error}");
        let inner = &self.0;
        let now = inner.sessions.now();
        let registry = &inner.registry;
        let started = registry.get(Kind::Setting, STARTED, now).await;
        if started.map_err(|error| told(error.into()))?.is_some() {
            return Ok(None);
        }
        let made = match self.get(ADMIN).await.map_err(told)? {
            Some(_) => None,
            None => self.make_admin(has_terminal).await?,
        };
        // Last: a start that was killed before this is made up for by the next one.
        let noted = registry.put(
            Kind::Setting,
            STARTED,
            Expected::Absent,
            Some(Bytes::from_static(b"{\"v\":1}")),
            None,
            now,
        );
        noted.await.map_err(|error| told(error.into()))?;
        Ok(made)
    }

    async fn make_admin(&self, has_terminal: bool) -> Result<Option<FirstAdmin>, String> {
        let password = password::make();
        // The file before the entry: an entry whose password nobody knows is of no use, a file without an entry is
        // replaced at the next start.
        let file = self.0.first_password.as_deref().filter(|_| !has_terminal);
        if let Some(file) = file {
            write_private(file, &password)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        let new = NewPerson {
            name: ADMIN.to_owned(),
            password: Some(password.clone()),
            roles: vec![ADMIN.to_owned()],
        };
        match self.add(new).await {
            Ok(_) => Ok(Some(FirstAdmin {
                name: ADMIN,
                password,
                file: file.map(Path::to_path_buf),
            })),
            // Another node was faster; its password holds.
            Err(Error::Exists) => {
                if let Some(file) = file {
                    let _ = std::fs::remove_file(file);
                }
                Ok(None)
            }
            Err(error) => Err(format!("the directory: {error}")),
        }
    }
}

/// Writes the password so that only we can read it, and so that it is there after a power cut.
fn write_private(path: &Path, password: &str) -> io::Result<()> {
    // A file of an interrupted start may be there; with `create_new` no file of somebody else is ever written into.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(format!("{password}\n").as_bytes())?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// After the first login of `admin` the file is of no more use to anybody but a thief.
pub(super) fn forget_password(inner: &Inner, name: &str) {
    let Some(file) = inner.first_password.as_deref().filter(|_| name == ADMIN) else {
        return;
    };
    match std::fs::remove_file(file) {
        Ok(()) => {
            tracing::info!(file = %file.display(), "the first password was used; its file is deleted")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::error!(file = %file.display(), %error, "the file of the first password could not be deleted")
        }
    }
}
