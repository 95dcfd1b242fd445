//! A session's data: a small sorted map of names to JSON values, kept encoded.
//!
//! It stays in one buffer from the store to the handler: reading a name scans the buffer and allocates nothing, and a
//! clone is a reference count. A change makes a new buffer.

use std::fmt;

use bytes::Bytes;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{Edit, Edits};

/// A JSON value as text, known to be valid.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// Serializes `value`.
    ///
    /// # Errors
    /// What `serde_json` says where `value` has no JSON form, such as a map with keys that are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::to_string(value)?.into_boxed_str()))
    }

    /// Takes JSON text that a parser has already accepted.
    pub fn raw(value: &serde_json::value::RawValue) -> Self {
        Self(value.get().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.0.len())
    }
}

/// Session data: name -> JSON value, sorted by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Data {
    /// A definite-length CBOR map of text to text (RFC 8949), names ascending and distinct.
    encoded: Bytes,
    len: usize,
}

const EMPTY: &[u8] = &[0xa0];

impl Default for Data {
    fn default() -> Self {
        Self {
            encoded: Bytes::from_static(EMPTY),
            len: 0,
        }
    }
}

/// Bytes that are not encoded session data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session data is damaged: {0}")]
pub struct DamagedData(&'static str);

impl Data {
    /// Reads what [`Data::encoded`] gave; checks the whole structure once, so that later reads cannot fail.
    ///
    /// # Errors
    /// [`DamagedData`] where the bytes are not a definite map of text to text with ascending names.
    pub fn decode(encoded: Bytes) -> Result<Self, DamagedData> {
        let mut decoder = Decoder::new(&encoded);
        let len = match decoder.map() {
            Ok(Some(len)) => usize::try_from(len).map_err(|_| DamagedData("too many names"))?,
            _ => return Err(DamagedData("not a definite map")),
        };
        let mut last: Option<&str> = None;
        for _ in 0..len {
            let name = decoder
                .str()
                .map_err(|_| DamagedData("a name is not text"))?;
            decoder
                .str()
                .map_err(|_| DamagedData("a value is not text"))?;
            if last.is_some_and(|last| last >= name) {
                return Err(DamagedData("names are not ascending"));
            }
            last = Some(name);
        }
        if decoder.position() != encoded.len() {
            return Err(DamagedData("bytes after the end"));
        }
        Ok(Self { encoded, len })
    }

    /// The encoded form that records carry.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All names with their JSON text, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut decoder = Decoder::new(&self.encoded);
        // The structure was checked when the value was made, so these reads succeed.
        let started = matches!(decoder.datatype(), Ok(Type::Map)) && decoder.map().is_ok();
        (0..if started { self.len } else { 0 })
            .map_while(move |_| Some((decoder.str().ok()?, decoder.str().ok()?)))
    }

    /// The JSON text under `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, text)| text)
    }

    /// The value under `name` as a `T`.
    ///
    /// # Errors
    /// What `serde_json` says where the value is not a `T`.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.get(name).map(serde_json::from_str).transpose()
    }

    /// This data with `edits` applied.
    #[must_use]
    pub fn apply(&self, edits: &Edits) -> Self {
        if edits.is_empty() {
            return self.clone();
        }
        let kept = self
            .iter()
            .filter(|(name, _)| !edits.clears() && edits.get(name).is_none());
        let set = edits.iter().filter_map(|(name, edit)| match edit {
            Edit::Set(text) => Some((name, text.as_str())),
            Edit::Remove => None,
        });
        let mut entries: Vec<(&str, &str)> = kept.chain(set).collect();
        entries.sort_unstable_by_key(|(name, _)| *name);
        Self::encode(&entries)
    }

    fn encode(entries: &[(&str, &str)]) -> Self {
        let size = entries
            .iter()
            .map(|(name, text)| name.len() + text.len() + 10)
            .sum::<usize>()
            + 9;
        let mut encoder = Encoder::new(Vec::with_capacity(size));
        let infallible =
            |encoder: &mut Encoder<Vec<u8>>| -> Result<(), minicbor::encode::Error<_>> {
                encoder.map(entries.len() as u64)?;
                for (name, text) in entries {
                    encoder.str(name)?.str(text)?;
                }
                Ok(())
            };
        // Writing to a vector cannot fail; the type of the error says so (`Infallible`).
        let Ok(()) = infallible(&mut encoder) else {
            return Self::default();
        };
        Self {
            encoded: Bytes::from(encoder.into_writer()),
            len: entries.len(),
        }
    }
}

impl fmt::Debug for Data {
    /// Names only: values may be secrets of the application.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}
