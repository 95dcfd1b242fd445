//! How an object goes once it has ended.

use cloakroom_core::store::{ErrorKind, StoreError};

use super::io::{Io, absent};
use super::object::{Look, Object, nonce};
use super::paths::WORK;

impl Io {
    /// Takes an ended object out of sight, in one step, and then apart: for objects whose place is never taken again. A
    /// move that the file server carries out twice would take away what stands there the second time. False where it
    /// stays.
    pub(super) fn remove_for_good(&self, path: &str) -> bool {
        let temp = format!("{WORK}/{:016x}", nonce());
        match self.rename(path, &temp) {
            Ok(()) => self.discard(&temp),
            Err(error) => return absent(&error),
        }
        true
    }

    /// Removes what is left of an ended object: by exact names, none of which comes again, and the marker last. So a
    /// request that the file server carries out late, or twice, cannot meet the object that follows in its place. False
    /// where something stays behind.
    pub(super) fn remove(&self, path: &str) -> bool {
        let names = match self.names(path) {
            Ok(names) => names,
            Err(error) => return absent(&error),
        };
        let (ends, contents): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| name.starts_with("e."));
        if contents.iter().any(|name| name.starts_with("h.")) {
            return true;
        }
        let all = contents.into_iter().chain(ends);
        all.map(|name| format!("{path}/{name}"))
            .all(|path| self.tidy(&path))
            && self.rmdir(path).is_ok()
    }

    /// Removes contents without a state: what a writer left who came when the object was just being removed, and then
    /// broke off. Only for who comes to make something new there, or to clear.
    pub(super) fn clear_remains(&self, path: &str) -> bool {
        // A session is moved out of sight whole, so it leaves none.
        if path.starts_with("s/") {
            return false;
        }
        let Ok(names) = self.names(path) else {
            return false;
        };
        let contents = names.iter().all(|name| name.starts_with("d."));
        contents && self.remove(path)
    }

    /// As [`Io::look`], by who would clear remains.
    pub(super) fn look_or_clear(&self, path: &str) -> Result<Look, StoreError> {
        match self.look(path) {
            Err(error) if error.kind() == ErrorKind::Corrupt && self.clear_remains(path) => {
                Ok(Look::Absent)
            }
            looked => looked,
        }
    }

    /// As [`Io::get`], by who would clear remains.
    pub(super) fn get_or_clear(&self, path: &str) -> Result<Option<Object>, StoreError> {
        match self.look_or_clear(path)? {
            Look::Absent => Ok(None),
            Look::There { marker, .. } if marker.ended => {
                self.remove(path);
                Ok(None)
            }
            Look::There { .. } => self.get(path),
        }
    }

    /// Takes apart a folder that nobody looks at.
    pub(super) fn discard(&self, temp: &str) {
        for name in self.names(temp).unwrap_or_default() {
            self.tidy(&format!("{temp}/{name}"));
        }
        drop(self.rmdir(temp));
    }

    /// Removes a file that means nothing any more; false where that cannot be done.
    pub(super) fn tidy(&self, path: &str) -> bool {
        match self.unlink(path) {
            Err(error) if !absent(&error) => {
                tracing::debug!(%error, "left a file behind");
                false
            }
            _ => true,
        }
    }
}
