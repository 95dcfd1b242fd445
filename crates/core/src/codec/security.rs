//! The security block.
//!
//! Keys: 0 version · 1 epoch · 2 admitted · 3 app · 4 subject · 5 current secret · 6 derivation of the current secret ·
//! 7 next secret · 8 previous secret · 9 renewals · 10 acr · 11 amr · 12 authenticated at · 13 created at ·
//! 14 idle timeout · 15 absolute deadline · 16 hard cap · 17 grants · 18 freeze.

use bytes::Bytes;
use minicbor::Decoder;

use super::fields::{Field, FieldWriter, Unknown, array, list, read_fields};
use super::grant::{decode_freeze, decode_grant, encode_freeze, encode_grant};
use crate::record::{
    DecodeError, Derivation, Epoch, NextSecret, PreviousSecret, Secrets, Security,
};
use crate::subject::{App, Subject};
use crate::time::Timestamp;
use crate::token::SecretHash;

pub(crate) fn encode_security(block: &Security) -> Vec<u8> {
    let mut map = FieldWriter::new();
    map.uint(0, block.version);
    map.uint(1, block.epoch);
    map.uint(2, block.admitted.0);
    map.optional_text(3, block.app.as_ref().map(App::as_str));
    map.optional_text(4, block.subject.as_ref().map(Subject::as_str));
    encode_secrets(&block.secrets, &mut map);
    map.optional_text(10, block.acr.as_deref());
    map.texts(11, &block.amr);
    map.optional(12, block.authenticated_at, |out, at| {
        out.i64(at.as_millis()).map(drop)
    });
    map.time(13, block.created_at);
    map.duration(14, block.idle_timeout);
    map.time(15, block.absolute_deadline);
    map.time(16, block.hard_cap);
    if !block.grants.is_empty() {
        map.field(17, |out| {
            out.array(block.grants.len() as u64)?;
            block
                .grants
                .iter()
                .try_for_each(|grant| out.bytes(&encode_grant(grant)).map(drop))
        });
    }
    map.optional(18, block.freeze.as_ref(), |out, freeze| {
        out.bytes(&encode_freeze(freeze)).map(drop)
    });
    map.finish(&block.unknown)
}

fn encode_secrets(secrets: &Secrets, map: &mut FieldWriter) {
    map.bytes(5, secrets.current.as_bytes());
    map.optional(6, secrets.current_from, |out, from| {
        out.array(2)?.u64(from.number)?.bytes(&from.nonce).map(drop)
    });
    map.optional(7, secrets.next, |out, next| {
        out.array(4)?
            .bytes(next.hash.as_bytes())?
            .u64(next.from.number)?
            .bytes(&next.from.nonce)?;
        out.i64(next.issued_at.as_millis()).map(drop)
    });
    map.optional(8, secrets.previous, |out, previous| {
        out.array(2)?
            .bytes(previous.hash.as_bytes())?
            .i64(previous.until.as_millis())
            .map(drop)
    });
    map.uint(9, secrets.renewals);
}

#[derive(Default)]
struct Parts {
    version: Option<u64>,
    epoch: Option<u64>,
    admitted: Epoch,
    app: Option<App>,
    subject: Option<Subject>,
    current: Option<SecretHash>,
    current_from: Option<Derivation>,
    next: Option<NextSecret>,
    previous: Option<PreviousSecret>,
    renewals: u64,
    acr: Option<Box<str>>,
    amr: Vec<Box<str>>,
    authenticated_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    idle_timeout: Option<std::time::Duration>,
    absolute_deadline: Option<Timestamp>,
    hard_cap: Option<Timestamp>,
    grants: Vec<crate::grant::Grant>,
    freeze: Option<crate::grant::Freeze>,
    unknown: Unknown,
}

pub(crate) fn decode_security(bytes: &Bytes) -> Result<Security, DecodeError> {
    let mut parts = Parts::default();
    read_fields(bytes, "the security block", |field| {
        read_field(&mut parts, &field)
    })?;
    let missing = |place| DecodeError::Damaged(place);
    Ok(Security {
        version: parts.version.ok_or_else(|| missing("security version"))?,
        epoch: parts.epoch.ok_or_else(|| missing("epoch"))?,
        admitted: parts.admitted,
        app: parts.app,
        subject: parts.subject,
        secrets: Secrets {
            current: parts.current.ok_or_else(|| missing("secret"))?,
            current_from: parts.current_from,
            next: parts.next,
            previous: parts.previous,
            renewals: parts.renewals,
        },
        acr: parts.acr,
        amr: parts.amr,
        authenticated_at: parts.authenticated_at,
        created_at: parts.created_at.ok_or_else(|| missing("created at"))?,
        idle_timeout: parts.idle_timeout.ok_or_else(|| missing("idle timeout"))?,
        absolute_deadline: parts
            .absolute_deadline
            .ok_or_else(|| missing("absolute deadline"))?,
        hard_cap: parts.hard_cap.ok_or_else(|| missing("hard cap"))?,
        grants: parts.grants,
        freeze: parts.freeze,
        unknown: parts.unknown,
    })
}

fn read_field(parts: &mut Parts, field: &Field<'_>) -> Result<(), DecodeError> {
    match field.key {
        0 => parts.version = Some(field.uint("security version")?),
        1 => parts.epoch = Some(field.uint("epoch")?),
        2 => parts.admitted = Epoch(field.uint("admitted")?),
        3 => {
            parts.app = Some(App::new(field.text("app")?).map_err(|_| DecodeError::Damaged("app"))?)
        }
        4 => {
            parts.subject = Some(
                Subject::new(field.text("subject")?)
                    .map_err(|_| DecodeError::Damaged("subject"))?,
            )
        }
        5 => parts.current = Some(SecretHash::from_bytes(field.array("secret")?)),
        6 => parts.current_from = Some(tuple(&mut field.decoder(), 2, "derivation", derivation)?),
        7 => parts.next = Some(tuple(&mut field.decoder(), 4, "next secret", next)?),
        8 => parts.previous = Some(tuple(&mut field.decoder(), 2, "previous secret", previous)?),
        9 => parts.renewals = field.uint("renewals")?,
        10 => parts.acr = Some(field.text("acr")?),
        11 => parts.amr = field.texts("amr")?,
        12 => parts.authenticated_at = Some(field.time("authenticated at")?),
        13 => parts.created_at = Some(field.time("created at")?),
        14 => parts.idle_timeout = Some(field.duration("idle timeout")?),
        15 => parts.absolute_deadline = Some(field.time("absolute deadline")?),
        16 => parts.hard_cap = Some(field.time("hard cap")?),
        17 => {
            parts.grants = list(&mut field.decoder(), "grants", |item| {
                decode_grant(&nested(item, "grant")?)
            })?
        }
        18 => parts.freeze = Some(decode_freeze(&field.bytes("freeze")?)?),
        key => parts.unknown.0.push((key, field.keep())),
    }
    Ok(())
}

/// A byte string inside a list, as bytes of its own.
pub(crate) fn nested(item: &mut Decoder<'_>, place: &'static str) -> Result<Bytes, DecodeError> {
    item.bytes()
        .map(Bytes::copy_from_slice)
        .map_err(|_| DecodeError::Damaged(place))
}

fn tuple<'b, T>(
    decoder: &mut Decoder<'b>,
    len: u64,
    place: &'static str,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    match decoder.array() {
        Ok(Some(found)) if found == len => read(decoder),
        _ => Err(DecodeError::Damaged(place)),
    }
}

fn derivation(decoder: &mut Decoder<'_>) -> Result<Derivation, DecodeError> {
    let number = decoder
        .u64()
        .map_err(|_| DecodeError::Damaged("renewal number"))?;
    Ok(Derivation {
        number,
        nonce: array(decoder, "renewal nonce")?,
    })
}

fn next(decoder: &mut Decoder<'_>) -> Result<NextSecret, DecodeError> {
    let hash = SecretHash::from_bytes(array(decoder, "next secret")?);
    let from = derivation(decoder)?;
    let issued_at = decoder
        .i64()
        .map(Timestamp::from_millis)
        .map_err(|_| DecodeError::Damaged("next secret"))?;
    Ok(NextSecret {
        hash,
        from,
        issued_at,
    })
}

fn previous(decoder: &mut Decoder<'_>) -> Result<PreviousSecret, DecodeError> {
    let hash = SecretHash::from_bytes(array(decoder, "previous secret")?);
    let until = decoder
        .i64()
        .map(Timestamp::from_millis)
        .map_err(|_| DecodeError::Damaged("previous secret"))?;
    Ok(PreviousSecret { hash, until })
}
