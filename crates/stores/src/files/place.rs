//! How an object begins: its folder is made out of sight, synced, and moved to its place, whole.

use cloakroom_core::store::StoreError;

use super::error::{During as _, unavailable};
use super::format::{Content, Marker, content_name};
use super::io::{Io, absent, taken};
use super::object::{LOOKS, Look, Was, nonce, parent_or_root};
use super::paths::{WORK, parent};

/// A folder that waits to be moved to its place.
pub(super) struct Prepared {
    pub(super) temp: String,
    pub(super) marker: Marker,
}

impl Io {
    /// Makes the folder of a new object, out of sight.
    pub(super) fn prepare(
        &self,
        path: &str,
        marker: Marker,
        body: Option<&[u8]>,
    ) -> Result<Prepared, StoreError> {
        let temp = format!("{WORK}/{:016x}", nonce());
        let made = (|| {
            self.mkdir(&temp)?;
            self.create(&format!("{temp}/{}", marker.name(path)))?;
            if let Some(body) = body {
                let bytes = Content::seal(path, marker.nonce, &[], body);
                self.write(&format!("{temp}/{}", content_name(marker.nonce)), &bytes)?;
            }
            self.sync(&temp)
        })();
        if made.is_err() {
            self.discard(&temp);
        }
        made.during("making a folder")?;
        Ok(Prepared { temp, marker })
    }

    /// Moves a prepared object to its place; false where something is there.
    pub(super) fn place(&self, path: &str, new: &Prepared) -> Result<bool, StoreError> {
        match self.try_place(path, new)? {
            Was::Current => Ok(true),
            Was::Never => Ok(false),
            Was::Unknown => Err(unavailable("a folder whose fate cannot be told")),
        }
    }

    /// As [`Io::place`], where others may do it too: unknown is what they have moved, and is not there any more.
    pub(super) fn try_place(&self, path: &str, new: &Prepared) -> Result<Was, StoreError> {
        const WHAT: &str = "moving a folder to its place";
        for _ in 0..LOOKS {
            let Err(error) = self.rename(&new.temp, path) else {
                self.sync(parent_or_root(path)).during(WHAT)?;
                return Ok(Was::Current);
            };
            if let Look::There { marker, .. } = self.look(path)? {
                // Said only while ours still waits. It is left to the sweep: what a client believes to be there may have
                // been moved by another, and would be taken apart in its new place.
                if taken(&error) && marker.nonce != new.marker.nonce {
                    return Ok(Was::Never);
                }
                match self.was_current(path, None, new.marker)? {
                    // Moved all the same: a file server that is asked twice says no to what it has done.
                    Was::Current => {
                        self.sync(parent_or_root(path)).during(WHAT)?;
                        return Ok(Was::Current);
                    }
                    _ if !absent(&error) => return Err(error).during(WHAT),
                    Was::Never => return Ok(Was::Never),
                    Was::Unknown => continue,
                }
            }
            if !absent(&error) && !taken(&error) {
                return Err(error).during(WHAT);
            }
            match self.names(&new.temp) {
                Err(error) if absent(&error) => return Ok(Was::Unknown),
                names => drop(names.during(WHAT)?),
            }
            self.make_folder(parent(path))?;
        }
        Ok(Was::Unknown)
    }

    /// Makes a folder that may be there.
    pub(super) fn make_folder(&self, path: &str) -> Result<(), StoreError> {
        const WHAT: &str = "making a folder";
        match self.mkdir(path) {
            Ok(()) => self.sync(parent_or_root(path)).during(WHAT),
            Err(error) if taken(&error) => Ok(()),
            Err(error) if absent(&error) && path.contains('/') => {
                self.make_folder(parent(path))?;
                match self.mkdir(path) {
                    Ok(()) => self.sync(parent_or_root(path)).during(WHAT),
                    Err(error) if taken(&error) => Ok(()),
                    Err(error) => Err(error).during(WHAT),
                }
            }
            Err(error) => Err(error).during(WHAT),
        }
    }
}
