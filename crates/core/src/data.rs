//! A session's data: a small sorted map of names to JSON values, kept encoded.
//!
//! It stays in one buffer from the store to the handler: reading a name scans the buffer and allocates nothing, and a
//! clone is a reference count. A change makes a new buffer.

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;
use minicbor::Decoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{Edit, Edits};

mod texts;

use texts::{MAP, TEXT, head_len, put_head, take_text};

/// A JSON value as text, known to be valid.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// Serializes `value`.
    ///
    /// # Errors
    /// What `serde_json` says where `value` has no JSON form, such as a map with keys that are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::to_string(value)?))
    }

    /// Takes JSON text that a parser has already accepted.
    pub fn raw(value: &serde_json::value::RawValue) -> Self {
        Self(value.get().to_owned())
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
    /// A CBOR map of text to text, every length in its shortest form (RFC 8949 section 4.2.1), names ascending and distinct.
    encoded: Bytes,
    len: usize,
}

const EMPTY: &[u8] = &[MAP];

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
    /// [`DamagedData`] where the bytes are not a map of text to text in its shortest form, with ascending names.
    pub fn decode(encoded: Bytes) -> Result<Self, DamagedData> {
        let mut decoder = Decoder::new(&encoded);
        let len = match decoder.map() {
            Ok(Some(len)) => usize::try_from(len).map_err(|_| DamagedData("too many names"))?,
            _ => return Err(DamagedData("not a definite map")),
        };
        let mut last: Option<&str> = None;
        let mut shortest = head_len(len);
        for _ in 0..len {
            let name = decoder
                .str()
                .map_err(|_| DamagedData("a name is not text"))?;
            let text = decoder
                .str()
                .map_err(|_| DamagedData("a value is not text"))?;
            if last.is_some_and(|last| last >= name) {
                return Err(DamagedData("names are not ascending"));
            }
            last = Some(name);
            shortest += head_len(name.len()) + name.len() + head_len(text.len()) + text.len();
        }
        if decoder.position() != encoded.len() {
            return Err(DamagedData("bytes after the end"));
        }
        if shortest != encoded.len() {
            return Err(DamagedData("a length is not in its shortest form"));
        }
        Ok(Self { encoded, len })
    }

    /// Takes back what [`Data::encoded`] gave to a store that never lets go of it: nothing is checked again.
    #[cfg(feature = "memory")]
    pub(crate) fn kept(encoded: Bytes) -> Option<Self> {
        let len = Decoder::new(&encoded).map().ok()??;
        let len = usize::try_from(len).ok()?;
        Some(Self { encoded, len })
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
        // The structure was checked when the value was made, so these reads succeed.
        self.pairs().map_while(|(name, text)| {
            Some((str::from_utf8(name).ok()?, str::from_utf8(text).ok()?))
        })
    }

    /// The JSON text under `name`. Only what is found is looked at as text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .pairs()
            .skip_while(|(other, _)| *other < name.as_bytes());
        let (found, text) = pairs.next()?;
        (found == name.as_bytes()).then(|| str::from_utf8(text).ok())?
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.encoded.get(head_len(self.len)..).unwrap_or_default();
        (0..self.len).map_while(move |_| Some((take_text(&mut rest)?, take_text(&mut rest)?)))
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
        let size = self.size_with(edits);
        let mut encoded = Vec::with_capacity(size.bytes);
        put_head(&mut encoded, MAP, size.names);
        for (name, text) in self.with(edits) {
            for part in [name, text] {
                put_head(&mut encoded, TEXT, part.len());
                encoded.extend_from_slice(part);
            }
        }
        Self {
            encoded: Bytes::from(encoded),
            len: size.names,
        }
    }

    /// How large this data would be with `edits` applied.
    pub fn size_with(&self, edits: &Edits) -> Size {
        let mut size = Size::default();
        for (name, text) in self.with(edits) {
            size.names += 1;
            size.bytes += head_len(name.len()) + name.len() + head_len(text.len()) + text.len();
        }
        size.bytes += head_len(size.names);
        size
    }

    /// How large this data is.
    pub fn size(&self) -> Size {
        Size {
            names: self.len,
            bytes: self.encoded.len(),
        }
    }

    /// What `edits` make of it, ascending by name: both are, so they are walked side by side.
    fn with<'a>(&'a self, edits: &'a Edits) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let kept = if edits.clears() { 0 } else { self.len };
        let mut kept = self.pairs().take(kept).peekable();
        let mut edits = edits.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let order = match (kept.peek(), edits.peek()) {
                    (Some((name, _)), Some((edited, _))) => (*name).cmp(edited.as_bytes()),
                    (Some(_), None) => Ordering::Less,
                    (None, _) => Ordering::Greater,
                };
                match order {
                    Ordering::Less => return kept.next(),
                    Ordering::Equal => drop(kept.next()),
                    Ordering::Greater => {
                        if let (name, Edit::Set(text)) = edits.next()? {
                            return Some((name.as_bytes(), text.as_str().as_bytes()));
                        }
                    }
                }
            }
        })
    }
}

/// What limits are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Number of names.
    pub names: usize,
    /// Bytes of all names and values together, as encoded.
    pub bytes: usize,
}

impl fmt::Debug for Data {
    /// Names only: values may be secrets of the application.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}
