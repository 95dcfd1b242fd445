//! What things cost, charged against the reservation.
//!
//! Figures are the bytes that the entry's containers take for it: its own size over the container's worst fill (7/8 of a
//! power of two for hash maps right after they grew, half for B-trees), and the allocator's header for each allocation.

use crate::record::Record;

/// One allocation's header and rounding.
const ALLOCATION: usize = 16;
/// A session's slot in the map: id, encoded record handle, activity, deadline, queue number, at the worst fill.
const SLOT: usize = 2 * (16 + 96);
/// Its entry in the queue of deadlines.
const DEADLINE: usize = 2 * (8 + 16);
/// Its entry in the queue of anonymous sessions by use.
const QUEUE: usize = 2 * (8 + 16);
/// Its entry in the index of its subject.
const INDEX: usize = 2 * 16 + 64;
/// A replay key's two entries, beside its bytes.
const REPLAY: usize = 2 * (16 + 8) + 2 * (16 + 8);

/// What a session costs, its record encoded in `encoded` bytes.
pub(in crate::store::memory) fn session(record: &Record, encoded: usize) -> usize {
    let owner = match &record.security.subject {
        Some(subject) => {
            let app = record
                .security
                .app
                .as_ref()
                .map_or(0, |app| app.as_str().len());
            INDEX + subject.as_str().len() + app + 2 * ALLOCATION
        }
        None => QUEUE,
    };
    encoded + ALLOCATION + SLOT + DEADLINE + owner
}

/// What a remembered key costs.
pub(in crate::store::memory) fn replay(key: &[u8]) -> usize {
    2 * (key.len() + ALLOCATION) + REPLAY
}
