//! What a record may hold at most, checked before every write.

use crate::change::Edits;
use crate::data::{Data, Size};

/// Upper bounds of one session's data. Checked before a write, so nothing oversized ever reaches a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all names and values together, as encoded.
    pub data_bytes: usize,
    /// Number of names.
    pub names: usize,
    /// Bytes of one name.
    pub name_bytes: usize,
}

impl Default for Limits {
    /// 64 KiB of data, 1,024 names of at most 256 bytes: far above what sessions hold, far below what hurts a store.
    fn default() -> Self {
        Self {
            data_bytes: 64 * 1024,
            names: 1024,
            name_bytes: 256,
        }
    }
}

/// A write that would exceed [`Limits`]; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// All data together is too large.
    #[error("session data would take {bytes} bytes, more than the {limit} allowed")]
    DataTooLarge {
        /// Size that the data would have.
        bytes: usize,
        /// Size that is allowed.
        limit: usize,
    },
    /// Too many names.
    #[error("a session would hold {names} names, more than the {limit} allowed")]
    TooManyNames {
        /// Number of names there would be.
        names: usize,
        /// Number that is allowed.
        limit: usize,
    },
    /// A name that is empty, too long or has control characters.
    #[error("a data name must have 1 to {limit} bytes and no control characters")]
    BadName {
        /// Bytes that are allowed.
        limit: usize,
    },
}

impl Limits {
    /// Checks the names that `edits` would set.
    ///
    /// # Errors
    /// [`LimitError::BadName`].
    pub fn check_edits(&self, edits: &Edits) -> Result<(), LimitError> {
        edits.names_set().try_for_each(|name| self.check_name(name))
    }

    /// Checks one name.
    ///
    /// # Errors
    /// [`LimitError::BadName`].
    pub fn check_name(&self, name: &str) -> Result<(), LimitError> {
        let fits = !name.is_empty()
            && name.len() <= self.name_bytes
            && !name.chars().any(char::is_control);
        if fits {
            Ok(())
        } else {
            Err(LimitError::BadName {
                limit: self.name_bytes,
            })
        }
    }

    /// Checks data as it would be stored.
    ///
    /// # Errors
    /// [`LimitError::TooManyNames`] or [`LimitError::DataTooLarge`].
    pub fn check_data(&self, data: &Data) -> Result<(), LimitError> {
        self.check_size(data.size())
    }

    /// Checks data as it would be stored after `edits`.
    ///
    /// # Errors
    /// [`LimitError::TooManyNames`] or [`LimitError::DataTooLarge`].
    pub fn check_data_with(&self, data: &Data, edits: &Edits) -> Result<(), LimitError> {
        self.check_size(data.size_with(edits))
    }

    fn check_size(&self, Size { names, bytes }: Size) -> Result<(), LimitError> {
        if names > self.names {
            return Err(LimitError::TooManyNames {
                names,
                limit: self.names,
            });
        }
        if bytes > self.data_bytes {
            return Err(LimitError::DataTooLarge {
                bytes,
                limit: self.data_bytes,
            });
        }
        Ok(())
    }
}
