//! Maps with integer keys whose unknown entries survive a round trip.

use std::time::Duration;

use bytes::Bytes;
use minicbor::{Decoder, Encoder};

use crate::codec::LIST_MAX;
use crate::record::DecodeError;
use crate::time::Timestamp;

/// Fields of a later release, kept as they were read and written back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unknown(pub(crate) Vec<(u64, Bytes)>);

pub(crate) type Out = Encoder<Vec<u8>>;
type Never = minicbor::encode::Error<core::convert::Infallible>;

/// Collects fields, then writes them as one map.
pub(crate) struct FieldWriter {
    body: Vec<u8>,
    count: u64,
}

impl FieldWriter {
    pub(crate) fn new() -> Self {
        Self {
            body: Vec::with_capacity(128),
            count: 0,
        }
    }

    /// One field; `write` puts exactly one CBOR item.
    pub(crate) fn field(&mut self, key: u64, write: impl FnOnce(&mut Out) -> Result<(), Never>) {
        let mut encoder = Encoder::new(std::mem::take(&mut self.body));
        // Writing to a vector cannot fail; the error type has no value.
        let written = encoder
            .u64(key)
            .map(|_| ())
            .and_then(|()| write(&mut encoder));
        debug_assert!(written.is_ok());
        self.body = encoder.into_writer();
        self.count += 1;
    }

    /// One field, left out where there is no value.
    pub(crate) fn optional<T>(
        &mut self,
        key: u64,
        value: Option<T>,
        write: impl FnOnce(&mut Out, T) -> Result<(), Never>,
    ) {
        if let Some(value) = value {
            self.field(key, |out| write(out, value));
        }
    }

    pub(crate) fn uint(&mut self, key: u64, value: u64) {
        self.field(key, |out| out.u64(value).map(drop));
    }

    pub(crate) fn time(&mut self, key: u64, value: Timestamp) {
        self.field(key, |out| out.i64(value.as_millis()).map(drop));
    }

    pub(crate) fn duration(&mut self, key: u64, value: Duration) {
        self.uint(key, u64::try_from(value.as_millis()).unwrap_or(u64::MAX));
    }

    pub(crate) fn bytes(&mut self, key: u64, value: &[u8]) {
        self.field(key, |out| out.bytes(value).map(drop));
    }

    pub(crate) fn text(&mut self, key: u64, value: &str) {
        self.field(key, |out| out.str(value).map(drop));
    }

    pub(crate) fn optional_text(&mut self, key: u64, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub(crate) fn texts(&mut self, key: u64, values: &[Box<str>]) {
        if !values.is_empty() {
            self.field(key, |out| {
                out.array(values.len() as u64)?;
                values.iter().try_for_each(|value| out.str(value).map(drop))
            });
        }
    }

    /// The whole map, unknown fields last.
    pub(crate) fn finish(mut self, unknown: &Unknown) -> Vec<u8> {
        for (key, raw) in &unknown.0 {
            let mut encoder = Encoder::new(std::mem::take(&mut self.body));
            let written = encoder.u64(*key);
            debug_assert!(written.is_ok());
            self.body = encoder.into_writer();
            self.body.extend_from_slice(raw);
            self.count += 1;
        }
        let mut encoder = Encoder::new(Vec::with_capacity(self.body.len() + 9));
        let written = encoder.map(self.count);
        debug_assert!(written.is_ok());
        let mut map = encoder.into_writer();
        map.extend_from_slice(&self.body);
        map
    }
}

/// One field as read: its key and its raw item.
pub(crate) struct Field<'b> {
    pub(crate) key: u64,
    pub(crate) raw: &'b Bytes,
    start: usize,
    end: usize,
}

impl<'b> Field<'b> {
    pub(crate) fn decoder(&self) -> Decoder<'b> {
        Decoder::new(&self.raw[self.start..self.end])
    }

    /// The item without a copy.
    pub(crate) fn keep(&self) -> Bytes {
        self.raw.slice(self.start..self.end)
    }

    pub(crate) fn uint(&self, place: &'static str) -> Result<u64, DecodeError> {
        self.decoder()
            .u64()
            .map_err(|_| DecodeError::Damaged(place))
    }

    pub(crate) fn time(&self, place: &'static str) -> Result<Timestamp, DecodeError> {
        self.decoder()
            .i64()
            .map(Timestamp::from_millis)
            .map_err(|_| DecodeError::Damaged(place))
    }

    pub(crate) fn duration(&self, place: &'static str) -> Result<Duration, DecodeError> {
        self.uint(place).map(Duration::from_millis)
    }

    pub(crate) fn array<const N: usize>(
        &self,
        place: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        array(&mut self.decoder(), place)
    }

    pub(crate) fn text(&self, place: &'static str) -> Result<Box<str>, DecodeError> {
        self.decoder()
            .str()
            .map(Into::into)
            .map_err(|_| DecodeError::Damaged(place))
    }

    /// A byte string's content without a copy.
    pub(crate) fn bytes(&self, place: &'static str) -> Result<Bytes, DecodeError> {
        let content = self
            .decoder()
            .bytes()
            .map_err(|_| DecodeError::Damaged(place))?;
        Ok(self.raw.slice_ref(content))
    }

    pub(crate) fn texts(&self, place: &'static str) -> Result<Vec<Box<str>>, DecodeError> {
        list(&mut self.decoder(), place, |item| {
            item.str()
                .map(Into::into)
                .map_err(|_| DecodeError::Damaged(place))
        })
    }
}

/// Calls `each` for every field of the map in `raw`, in the order written; refuses everything else.
pub(crate) fn read_fields<'b>(
    raw: &'b Bytes,
    place: &'static str,
    mut each: impl FnMut(Field<'b>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let damaged = || DecodeError::Damaged(place);
    let mut decoder = Decoder::new(raw);
    let count = decoder.map().ok().flatten().ok_or_else(damaged)?;
    let mut last: Option<u64> = None;
    for _ in 0..count {
        let key = decoder.u64().map_err(|_| damaged())?;
        let start = decoder.position();
        decoder.skip().map_err(|_| damaged())?;
        let end = decoder.position();
        // Ascending keys make one spelling of a record, and a duplicate cannot hide.
        if end > raw.len() || last.is_some_and(|last| last >= key) {
            return Err(damaged());
        }
        last = Some(key);
        each(Field {
            key,
            raw,
            start,
            end,
        })?;
    }
    if decoder.position() == raw.len() {
        Ok(())
    } else {
        Err(damaged())
    }
}

pub(crate) fn array<const N: usize>(
    decoder: &mut Decoder<'_>,
    place: &'static str,
) -> Result<[u8; N], DecodeError> {
    let damaged = DecodeError::Damaged(place);
    decoder
        .bytes()
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(damaged)
}

pub(crate) fn list<'b, T>(
    decoder: &mut Decoder<'b>,
    place: &'static str,
    mut item: impl FnMut(&mut Decoder<'b>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let len = decoder
        .array()
        .ok()
        .flatten()
        .ok_or(DecodeError::Damaged(place))?;
    let len = usize::try_from(len)
        .ok()
        .filter(|len| *len <= LIST_MAX)
        .ok_or(DecodeError::Damaged(place))?;
    (0..len).map(|_| item(decoder)).collect()
}
