//! The checks that the property tests of core and of the stores make, for the fuzz targets.

#[path = "../../crates/core/tests/it/hostile.rs"]
mod hostile;

#[path = "../../crates/stores/tests/it/files/hostile.rs"]
mod files;

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

/// Any bytes as the name of a state in the files store.
pub fn files_marker(bytes: &[u8]) {
    files::marker(bytes);
}

/// Any bytes as a content in the files store.
pub fn files_content(bytes: &[u8]) {
    files::content(bytes);
}
