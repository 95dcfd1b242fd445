//! The one primitive under everything: an object is a folder, and its state is *a file name* in it.
//!
//! The name (the [`Marker`]) carries version, the name of the content, and what may change without a new content. A
//! change writes and syncs its content under a new name and then moves the marker: `rename(2)` of exactly the name that
//! was read. It is the file server that decides, in one step, and the name that a writer saw never comes back. So a
//! writer who was frozen, for however long, finds that his name is gone and has lost; no lock, no lease, no clock.
//!
//! An object begins by a move too: its folder is made elsewhere, synced, and moved to its place, which fails where
//! something is. It ends by the marker's move to an end name. Nothing is ever there in half.

use std::thread::sleep;
use std::time::Duration;

use cloakroom_core::store::{ErrorKind, StoreError};

use super::error::{During as _, corrupt, unavailable};
use super::format::{Content, Marker, content_name};
use super::io::{Io, absent, stale};
use super::paths::parent;

/// How often a folder is looked at again in which a marker was just being moved; together about 250 ms.
pub(super) const LOOKS: u32 = 8;
/// How often a content is looked for again that was just being replaced.
const READS: u32 = 1000;

/// What a look at an object shows.
#[derive(Debug)]
pub(super) enum Look {
    /// No object.
    Absent,
    /// An object.
    There {
        /// Its state.
        marker: Marker,
        /// Contents that are not its own: of writers under way, or of one that is not yet done.
        others: Vec<u64>,
    },
}

/// An object with its content.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) marker: Marker,
    pub(super) content: Content,
    /// Contents that the next writer may remove once he has succeeded.
    pub(super) others: Vec<u64>,
}

impl Object {
    /// The lineage of the content that follows.
    fn heirs(&self) -> Vec<u64> {
        let mut lineage = vec![self.marker.nonce];
        lineage.extend(&self.content.lineage);
        lineage
    }
}

/// Whether a content was ever the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    Current,
    Never,
    Unknown,
}

/// A random name.
pub(super) fn nonce() -> u64 {
    rand::random()
}

impl Io {
    /// The state of the object at `path`.
    pub(super) fn look(&self, path: &str) -> Result<Look, StoreError> {
        const WHAT: &str = "reading the state of a folder";
        let mut last = Vec::new();
        for attempt in 0..LOOKS {
            let names = match self.names(path) {
                Ok(names) => names,
                Err(error) if absent(&error) => return Ok(Look::Absent),
                Err(error) => return Err(error).during(WHAT),
            };
            let is_marker = |name: &&String| name.starts_with("h.") || name.starts_with("e.");
            let mut markers = names.iter().filter(is_marker);
            // A listing may miss a name that is being moved, or show it twice.
            if let (Some(name), None) = (markers.next(), markers.next()) {
                let marker = Marker::parse(path, name).ok_or_else(|| odd(path, &names))?;
                let contents = names.iter().filter_map(|name| name.strip_prefix("d."));
                let nonces = contents.filter_map(|name| u64::from_str_radix(name, 16).ok());
                let others = nonces.filter(|nonce| *nonce != marker.nonce).collect();
                return Ok(Look::There { marker, others });
            }
            // Nothing at all is what a removal leaves that was broken off; where something is, this does nothing.
            if names.is_empty() && self.rmdir(path).is_ok() {
                return Ok(Look::Absent);
            }
            sleep(Duration::from_millis(1 << attempt));
            last = names;
        }
        Err(odd(path, &last))
    }

    /// The live object at `path`.
    pub(super) fn get(&self, path: &str) -> Result<Option<Object>, StoreError> {
        const WHAT: &str = "reading a content";
        let mut missing = (0, 0);
        for _ in 0..READS {
            let Look::There { marker, others } = self.look(path)? else {
                return Ok(None);
            };
            if marker.ended {
                return Ok(None);
            }
            if let Some(content) = self.content(path, marker.nonce)? {
                // A change that is not yet tidied up may not be synced: what is shown must not go back.
                if !others.is_empty() {
                    match self.sync(path) {
                        Err(error) if absent(&error) => continue,
                        done => done.during(WHAT)?,
                    }
                }
                return Ok(Some(Object {
                    marker,
                    content,
                    others,
                }));
            }
            // It was replaced in between; the same one missing again and again is missing.
            missing = match missing {
                (nonce, times) if nonce == marker.nonce => (nonce, times + 1),
                _ => (marker.nonce, 0),
            };
            if missing.1 >= LOOKS {
                return Err(corrupt(WHAT));
            }
            sleep(Duration::from_millis((1 << missing.1) - 1));
        }
        Err(unavailable("a session that changes all the time"))
    }

    /// A content, if it is there.
    pub(super) fn content(&self, path: &str, nonce: u64) -> Result<Option<Content>, StoreError> {
        const WHAT: &str = "reading a content";
        match self.read(&format!("{path}/{}", content_name(nonce))) {
            Ok(bytes) => {
                let content = Content::unseal(path, nonce, &bytes);
                content.map(Some).ok_or_else(|| corrupt(WHAT))
            }
            // It is looked for again, so one that is really gone is noticed.
            Err(error) if absent(&error) || stale(&error) => Ok(None),
            Err(error) => Err(error).during(WHAT),
        }
    }

    /// Gives an object its next content; false where it is no longer as `old` says.
    pub(super) fn replace(
        &self,
        path: &str,
        old: &Object,
        to: Marker,
        body: &[u8],
    ) -> Result<bool, StoreError> {
        if !self.offer(path, old, to.nonce, body)? {
            return Ok(false);
        }
        let moved = match self.shift(path, &old.marker, &to) {
            // It was just being removed, and what we wrote is what is left.
            Err(error) if error.kind() == ErrorKind::Corrupt && self.clear_remains(path) => false,
            moved => moved?,
        };
        match moved {
            true => {
                self.settle(path, old, to.nonce)?;
                Ok(true)
            }
            false => {
                // His name is gone for good, so nothing will ever point here.
                self.tidy(&format!("{path}/{}", content_name(to.nonce)));
                Ok(false)
            }
        }
    }

    /// Writes a content that is to follow; false where the object is gone.
    pub(super) fn offer(
        &self,
        path: &str,
        old: &Object,
        nonce: u64,
        body: &[u8],
    ) -> Result<bool, StoreError> {
        let bytes = Content::seal(path, nonce, &old.heirs(), body);
        match self.write(&format!("{path}/{}", content_name(nonce)), &bytes) {
            Ok(()) => Ok(true),
            Err(error) if absent(&error) => Ok(false),
            Err(error) => Err(error).during("writing a content"),
        }
    }

    /// Makes a change last, and removes what it replaced. Only names that stood there before the change are removed:
    /// whoever wrote them has lost.
    pub(super) fn settle(&self, path: &str, old: &Object, current: u64) -> Result<(), StoreError> {
        self.sync_there(path).during("syncing a change")?;
        for nonce in old.others.iter().chain([&old.marker.nonce]) {
            if *nonce != current {
                self.tidy(&format!("{path}/{}", content_name(*nonce)));
            }
        }
        Ok(())
    }

    /// Syncs a folder, unless it has gone since: then its end was kept.
    fn sync_there(&self, path: &str) -> std::io::Result<()> {
        match self.sync(path) {
            Err(error) if absent(&error) => Ok(()),
            done => done,
        }
    }

    /// Moves the marker to another state with the same content, or to a content that was offered; false where it is no
    /// longer as `from` says.
    pub(super) fn shift(&self, path: &str, from: &Marker, to: &Marker) -> Result<bool, StoreError> {
        let name = |marker: &Marker| format!("{path}/{}", marker.name(path));
        let Err(error) = self.rename(&name(from), &name(to)) else {
            return Ok(true);
        };
        match self.look(path) {
            Ok(Look::Absent) if absent(&error) => Ok(false),
            Ok(Look::There { marker, .. }) if marker == *to => Ok(true),
            Ok(Look::There { .. }) if from.nonce != to.nonce => {
                match self.was_current(path, Some(from), *to)? {
                    Was::Current => Ok(true),
                    // The file server has said no, and has not done it before either.
                    Was::Never if absent(&error) => Ok(false),
                    Was::Never => Err(error).during("moving a state"),
                    Was::Unknown => match self.look(path)? {
                        Look::There { marker, .. } if !marker.ended => {
                            Err(unavailable("a change whose outcome cannot be told"))
                        }
                        // It has ended, which is what the writer is told either way.
                        _ => Ok(false),
                    },
                }
            }
            Ok(Look::There { .. }) if absent(&error) => Ok(false),
            _ => Err(error).during("moving a state"),
        }
    }

    /// Whether the content that `of` names was ever the current one, after a move from `from` was said to be impossible.
    ///
    /// What is seen may be old. Nothing is concluded from `from` itself, nor from what came before it: only from what came
    /// in its place.
    pub(super) fn was_current(
        &self,
        path: &str,
        from: Option<&Marker>,
        of: Marker,
    ) -> Result<Was, StoreError> {
        for attempt in 0..LOOKS {
            let Look::There { marker, .. } = self.look(path)? else {
                return Ok(Was::Unknown);
            };
            if marker.nonce == of.nonce {
                return Ok(Was::Current);
            }
            let touched = from.is_some_and(|from| {
                (marker.version, marker.nonce) == (from.version, from.nonce) && marker != *from
            });
            if touched {
                return Ok(Was::Never);
            }
            if marker.version >= of.version
                && let Some(content) = self.content(path, marker.nonce)?
            {
                let behind = marker.version - of.version;
                return Ok(if content.lineage.contains(&of.nonce) {
                    Was::Current
                } else if behind <= content.lineage.len() as u64 {
                    Was::Never
                } else {
                    Was::Unknown
                });
            }
            if marker.ended {
                return Ok(Was::Unknown);
            }
            sleep(Duration::from_millis(1 << attempt));
        }
        Ok(Was::Unknown)
    }
}

/// A folder whose state cannot be read, for its operator: names carry no secret.
fn odd(path: &str, names: &[String]) -> StoreError {
    corrupt("reading the state of a folder").because(format!("{path} holds {names:?}"))
}

pub(super) fn parent_or_root(path: &str) -> &str {
    match parent(path) {
        "" => ".",
        parent => parent,
    }
}
