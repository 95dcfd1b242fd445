//! The queue of the sweep: an empty file for each thing that has a deadline, in a folder for each minute.
//!
//! An entry is made before what it stands for, so nothing is forgotten; where it no longer fits, whoever comes by
//! removes it. A touch moves no entry: what lives longer is put back when its entry is due.

use cloakroom_core::store::StoreError;
use cloakroom_core::{SessionId, Timestamp};

use super::Files;
use super::error::During as _;
use super::io::{absent, taken};
use super::paths::{parent, queued_object, queued_session};

impl Files {
    /// Puts an object into the queue.
    pub(super) fn queue(&self, deadline: Timestamp, path: &str) -> Result<(), StoreError> {
        if deadline == Timestamp::NEVER {
            return Ok(());
        }
        let entry = queued_object(deadline, path);
        self.make_entry(&entry, |entry| self.io.write(entry, path.as_bytes()))
    }

    /// Puts a session into the queue.
    pub(super) fn queue_session(
        &self,
        deadline: Timestamp,
        id: SessionId,
    ) -> Result<(), StoreError> {
        self.make_entry(&queued_session(deadline, id), |entry| self.io.create(entry))
    }

    /// Makes an entry that may be there, in a folder that may not, and keeps it.
    pub(super) fn make_entry(
        &self,
        entry: &str,
        make: impl Fn(&str) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        const WHAT: &str = "making an entry";
        loop {
            match make(entry) {
                Ok(()) => {}
                Err(error) if taken(&error) => {}
                // A folder that is empty may be removed at any time.
                Err(error) if absent(&error) => {
                    self.io.make_folder(parent(entry))?;
                    continue;
                }
                Err(error) => return Err(error).during(WHAT),
            }
            match self.io.sync(parent(entry)) {
                Err(error) if absent(&error) => {}
                done => return done.during(WHAT),
            }
        }
    }
}
