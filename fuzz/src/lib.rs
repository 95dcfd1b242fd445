//! The checks that core's property tests make, for the fuzz targets.

#[path = "../../crates/core/tests/it/hostile.rs"]
mod hostile;

/// Any text as a token.
pub fn token(text: &str) {
    hostile::token(text);
}

/// Any bytes as a stored record.
pub fn record(bytes: &[u8]) {
    hostile::record(bytes);
}

/// Any bytes as stored data.
pub fn data(bytes: &[u8]) {
    hostile::data(bytes);
}
