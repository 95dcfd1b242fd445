//! What stands in the folder, as text and bytes: markers, contents, and nothing else is read. Anybody who can write to
//! the folder may have damaged it, so both are checked whole.

use std::fmt::Write as _;

/// Predecessors that a content names.
pub const LINEAGE_MAX: usize = 16;
const MAGIC: &[u8; 4] = b"CRF1";
const HEAD: usize = 9;
/// Longer than any marker.
const MARKER_MAX: usize = 160;

/// The state of an object, all of it in one file name: who moves the name changes the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// It has ended; what follows is how it last was.
    pub ended: bool,
    /// Counts its contents.
    pub version: u64,
    /// Names its content, which never changes.
    pub nonce: u64,
    /// What may change without a new content.
    pub fields: [i64; 4],
}

impl Marker {
    /// As a file name; `key` is the object's path, so that a name under another object is damage.
    pub fn name(&self, key: &str) -> String {
        let mut name = String::with_capacity(MARKER_MAX);
        name.push(if self.ended { 'e' } else { 'h' });
        // Writing to a string cannot fail.
        let _ = write!(name, ".{:x}.{:016x}", self.version, self.nonce);
        for field in self.fields {
            let _ = write!(name, ".{:x}", field.cast_unsigned());
        }
        let crc = checksum(&[key.as_bytes(), name.as_bytes()]);
        let _ = write!(name, ".{:08x}", u32::from_be_bytes(crc));
        name
    }

    /// Reads a file name; only what [`Marker::name`] writes is one.
    pub fn parse(key: &str, name: &str) -> Option<Self> {
        if name.len() > MARKER_MAX {
            return None;
        }
        let mut parts = name.split('.');
        let ended = match parts.next()? {
            "h" => false,
            "e" => true,
            _ => return None,
        };
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (version, nonce) = (number()?, number()?);
        let mut fields = [0; 4];
        for field in &mut fields {
            *field = number()?.cast_signed();
        }
        let marker = Self {
            ended,
            version,
            nonce,
            fields,
        };
        (marker.name(key) == name).then_some(marker)
    }
}

/// The name of a content.
pub fn content_name(nonce: u64) -> String {
    format!("d.{nonce:016x}")
}

/// A content as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The contents before it, the latest first: so that a writer who lost the answer finds out whether he succeeded.
    pub lineage: Vec<u64>,
    /// What its owner encoded.
    pub body: Vec<u8>,
}

impl Content {
    /// As bytes, sealed with the object's path and the content's name.
    pub fn seal(key: &str, nonce: u64, lineage: &[u64], body: &[u8]) -> Vec<u8> {
        let lineage = lineage.get(..LINEAGE_MAX).unwrap_or(lineage);
        let mut bytes = Vec::with_capacity(HEAD + lineage.len() * 8 + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(u8::try_from(lineage.len()).unwrap_or(0));
        for nonce in lineage {
            bytes.extend_from_slice(&nonce.to_be_bytes());
        }
        bytes.extend_from_slice(body);
        let crc = checksum(&[key.as_bytes(), &nonce.to_be_bytes(), &bytes[8..]]);
        bytes[4..8].copy_from_slice(&crc);
        bytes
    }

    /// Reads what [`Content::seal`] wrote for this object and name.
    pub fn unseal(key: &str, nonce: u64, bytes: &[u8]) -> Option<Self> {
        let (head, _) = bytes.split_at_checked(HEAD)?;
        let crc = checksum(&[key.as_bytes(), &nonce.to_be_bytes(), &bytes[8..]]);
        if !head.starts_with(MAGIC) || head[4..8] != crc {
            return None;
        }
        let count = usize::from(head[8]);
        let (lineage, body) = bytes[HEAD..].split_at_checked(count * 8)?;
        let (lineage, _) = lineage.as_chunks::<8>();
        let lineage: Vec<u64> = lineage
            .iter()
            .map(|bytes| u64::from_be_bytes(*bytes))
            .collect();
        (count <= LINEAGE_MAX).then(|| Self {
            lineage,
            body: body.to_vec(),
        })
    }
}

fn checksum(parts: &[&[u8]]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().to_be_bytes()
}

/// Takes a fixed number of bytes from the front.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

/// Bytes as hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads [`hex`].
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
