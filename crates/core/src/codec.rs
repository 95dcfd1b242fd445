//! The stored form of a record: CBOR maps with small integer keys (RFC 8949), versioned, non-executable.
//!
//! Fields that a reader does not know pass through untouched, so nodes of two releases share one store. A new field
//! takes a new key; a key is never used again for something else; a change that an old reader must not ignore raises
//! [`FORMAT`]. Times are milliseconds since the Unix epoch, durations milliseconds.

mod fields;
mod grant;
mod record;
mod security;

pub use fields::Unknown;
pub(crate) use record::{decode_record, encode_record};

/// The format that this release writes.
pub(crate) const FORMAT: u64 = 1;

/// Bytes that an encoded record may have at most; far above every limit on data, so that a hostile length is refused
/// before anything is allocated for it.
pub(crate) const RECORD_MAX: usize = 16 * 1024 * 1024;

/// Elements that a list inside a record may have at most.
pub(crate) const LIST_MAX: usize = 1024;
