//! What must hold for names and bytes from anywhere: called by the property tests and by the fuzz targets (`fuzz/`).

use cloakroom_stores::files::format::{Content, LINEAGE_MAX, Marker};

/// Any bytes as the name of a state: none, or exactly what is written for it.
pub(crate) fn marker(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(marker) = Marker::parse("key", name) {
        assert_eq!(marker.name("key"), name);
    }
}

/// Any bytes as a content: none, or exactly what is written for it.
pub(crate) fn content(bytes: &[u8]) {
    if let Some(content) = Content::unseal("key", 7, bytes) {
        assert!(content.lineage.len() <= LINEAGE_MAX);
        let again = Content::seal("key", 7, &content.lineage, &content.body);
        assert_eq!(again, bytes);
    }
}

/// Changes, adds or takes a few bytes.
#[cfg(test)]
pub(super) fn spoil(bytes: &mut Vec<u8>, rng: &mut impl rand::Rng) {
    use rand::RngExt as _;
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..3) {
            0 => bytes.insert(at, rng.random()),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => bytes.truncate(at),
        }
    }
}
