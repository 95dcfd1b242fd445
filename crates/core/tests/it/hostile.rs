//! What must hold for bytes from anywhere: called by the property tests and by the fuzz targets (`fuzz/`).

use bytes::Bytes;
use cloakroom_core::{Data, Record, SessionId, SessionToken};

/// A token or an id that reads has exactly the spelling that is written.
pub(crate) fn token(text: &str) {
    if let Ok(read) = text.parse::<SessionToken>() {
        assert_eq!(read.expose(), text);
    }
    if let Ok(read) = text.parse::<SessionId>() {
        assert_eq!(read.to_string(), text);
    }
}

/// A record that reads can be written and read again.
pub(crate) fn record(bytes: &[u8]) {
    let id = SessionId::from_bytes([7; 16]);
    if let Ok(read) = Record::decode(id, &Bytes::copy_from_slice(bytes)) {
        assert_eq!(Record::decode(id, &read.encode()), Ok(read));
    }
}

/// Data that reads gives every name it counts, ascending, and survives an edit.
pub(crate) fn data(bytes: &[u8]) {
    if let Ok(data) = Data::decode(Bytes::copy_from_slice(bytes)) {
        let names: Vec<&str> = data.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), data.len());
        assert!(names.is_sorted_by(|left, right| left < right));
        let mut edits = cloakroom_core::Edits::new();
        edits.remove("\u{10ffff}");
        let edited = data.apply(&edits);
        assert_eq!(Data::decode(edited.encoded().clone()), Ok(edited));
    }
}
