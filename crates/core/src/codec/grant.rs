//! Grants and freezing.
//!
//! Grant keys: 0 id · 1 client · 2 scope · 3 audience · 4 binding · 5 epoch · 6 generation · 7 confirmed ·
//! 8 generations · 9 events · 10 created at. Generation keys: 0 number · 1 issued at · 2 retired at · 3 presented tags ·
//! 4 overflow. Freeze keys: 0 at · 1 reason.

use bytes::Bytes;
use minicbor::Decoder;

use super::fields::{Field, FieldWriter, array, list, read_fields};
use super::security::nested;
use crate::grant::{Binding, Freeze, Generation, Grant};
use crate::record::DecodeError;
use crate::time::Timestamp;

pub(crate) fn encode_grant(grant: &Grant) -> Vec<u8> {
    let mut map = FieldWriter::new();
    map.uint(0, grant.id);
    map.text(1, &grant.client);
    map.text(2, &grant.scope);
    map.texts(3, &grant.audience);
    map.optional(4, grant.binding, |out, binding| {
        let (kind, value) = match binding {
            Binding::Dpop(value) => (0, value),
            Binding::Dbsc(value) => (1, value),
            Binding::DeviceCookie(value) => (2, value),
        };
        out.array(2)?.u64(kind)?.bytes(&value).map(drop)
    });
    map.uint(5, grant.epoch);
    map.uint(6, grant.generation);
    map.field(7, |out| out.bool(grant.confirmed).map(drop));
    map.field(8, |out| {
        out.array(grant.generations.len() as u64)?;
        grant
            .generations
            .iter()
            .try_for_each(|generation| out.bytes(&encode_generation(generation)).map(drop))
    });
    map.field(9, |out| {
        out.array(grant.events.len() as u64)?;
        grant
            .events
            .iter()
            .try_for_each(|event| out.u64(*event).map(drop))
    });
    map.time(10, grant.created_at);
    map.finish(&grant.unknown)
}

pub(crate) fn decode_grant(bytes: &Bytes) -> Result<Grant, DecodeError> {
    let mut grant = Grant::default();
    read_fields(bytes, "a grant", |field| {
        match field.key {
            0 => grant.id = field.uint("grant id")?,
            1 => grant.client = field.text("client")?,
            2 => grant.scope = field.text("scope")?,
            3 => grant.audience = field.texts("audience")?,
            4 => grant.binding = Some(binding(&mut field.decoder())?),
            5 => grant.epoch = field.uint("grant epoch")?,
            6 => grant.generation = field.uint("generation")?,
            7 => {
                grant.confirmed = field
                    .decoder()
                    .bool()
                    .map_err(|_| DecodeError::Damaged("confirmed"))?
            }
            8 => {
                grant.generations = list(&mut field.decoder(), "generations", |item| {
                    decode_generation(&nested(item, "generation")?)
                })?;
            }
            9 => {
                grant.events = list(&mut field.decoder(), "events", |item| {
                    item.u64().map_err(|_| DecodeError::Damaged("events"))
                })?;
            }
            10 => grant.created_at = field.time("grant created at")?,
            key => grant.unknown.0.push((key, field.keep())),
        }
        Ok(())
    })?;
    Ok(grant)
}

fn binding(decoder: &mut Decoder<'_>) -> Result<Binding, DecodeError> {
    let damaged = DecodeError::Damaged("binding");
    match decoder.array() {
        Ok(Some(2)) => {}
        _ => return Err(damaged),
    }
    let kind = decoder.u64().map_err(|_| damaged.clone())?;
    let value = array(decoder, "binding")?;
    match kind {
        0 => Ok(Binding::Dpop(value)),
        1 => Ok(Binding::Dbsc(value)),
        2 => Ok(Binding::DeviceCookie(value)),
        // Ignoring a binding would weaken the grant, so an unknown one is refused.
        _ => Err(damaged),
    }
}

fn encode_generation(generation: &Generation) -> Vec<u8> {
    let mut map = FieldWriter::new();
    map.uint(0, generation.number);
    map.time(1, generation.issued_at);
    map.optional(2, generation.retired_at, |out, at| {
        out.i64(at.as_millis()).map(drop)
    });
    map.field(3, |out| {
        out.array(generation.presented.len() as u64)?;
        generation
            .presented
            .iter()
            .try_for_each(|tag| out.bytes(tag).map(drop))
    });
    map.uint(4, generation.overflow);
    map.finish(&generation.unknown)
}

fn decode_generation(bytes: &Bytes) -> Result<Generation, DecodeError> {
    let mut generation = Generation::default();
    read_fields(bytes, "a generation", |field| {
        match field.key {
            0 => generation.number = field.uint("generation number")?,
            1 => generation.issued_at = field.time("issued at")?,
            2 => generation.retired_at = Some(field.time("retired at")?),
            3 => generation.presented = tags(&field)?,
            4 => generation.overflow = field.uint("overflow")?,
            key => generation.unknown.0.push((key, field.keep())),
        }
        Ok(())
    })?;
    Ok(generation)
}

fn tags(field: &Field<'_>) -> Result<Vec<[u8; 8]>, DecodeError> {
    list(&mut field.decoder(), "tags", |item| array(item, "tags"))
}

pub(crate) fn encode_freeze(freeze: &Freeze) -> Vec<u8> {
    let mut map = FieldWriter::new();
    map.time(0, freeze.at);
    map.text(1, &freeze.reason);
    map.finish(&freeze.unknown)
}

pub(crate) fn decode_freeze(bytes: &Bytes) -> Result<Freeze, DecodeError> {
    let mut freeze = Freeze {
        at: Timestamp::EPOCH,
        reason: "".into(),
        unknown: super::Unknown::default(),
    };
    read_fields(bytes, "the freeze", |field| {
        match field.key {
            0 => freeze.at = field.time("frozen at")?,
            1 => freeze.reason = field.text("reason")?,
            key => freeze.unknown.0.push((key, field.keep())),
        }
        Ok(())
    })?;
    Ok(freeze)
}
