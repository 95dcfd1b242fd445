//! Records that were read or written a moment ago: what the next update is computed from, without reading again.
//!
//! Nothing is decided by them: an update carries version, checksum and touch of what it was computed from, and where
//! the row has others, nothing is written.

use std::sync::Arc;

use cloakroom_core::{Record, SessionId};
use parking_lot::Mutex;

const PLACES: usize = 4096;
/// Larger records are read again, so that all together stay within 64 MiB.
const DATA_MAX: usize = 16 * 1024;

/// A record as it was found, and how its row is recognised.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// With its touch.
    pub(super) record: Arc<Record>,
    /// What its sealed form begins with.
    pub(super) seal: Vec<u8>,
    /// The touch beside it.
    pub(super) touch: Option<Vec<u8>>,
}

/// The records, by session id; each place holds the last one that fell into it.
pub(super) struct Recent(Box<[Mutex<Option<Base>>]>);

impl Default for Recent {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Mutex::new(None)).collect())
    }
}

impl Recent {
    fn place(&self, id: SessionId) -> &Mutex<Option<Base>> {
        let [first, second, ..] = *id.as_bytes();
        &self.0[usize::from(u16::from_le_bytes([first, second])) % PLACES]
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Base> {
        let place = self.place(id).lock();
        place.as_ref().filter(|base| base.record.id == id).cloned()
    }

    pub(super) fn put(&self, base: Base) {
        let fits = base.record.data.encoded().len() <= DATA_MAX;
        let mut place = self.place(base.record.id).lock();
        *place = fits.then_some(base);
    }
}
