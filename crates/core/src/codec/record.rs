//! The outer map of a record.
//!
//! Keys: 0 format · 1 version · 2 security block (a byte string, so that it is one unit and a MAC can cover it) ·
//! 3 last seen · 4 idle deadline · 5 data · 6 user agent · 7 address · 8 label · 9 security MAC.

use bytes::Bytes;

use super::fields::{FieldWriter, Unknown, read_fields};
use super::security::{decode_security, encode_security};
use super::{FORMAT, RECORD_MAX};
use crate::data::Data;
use crate::record::{Activity, DecodeError, Device, Record};
use crate::time::Timestamp;
use crate::token::SessionId;

pub(crate) fn encode_record(record: &Record) -> Bytes {
    let mut map = FieldWriter::new();
    map.uint(0, FORMAT);
    map.uint(1, record.version);
    map.bytes(2, &encode_security(&record.security));
    map.time(3, record.activity.last_seen);
    map.time(4, record.activity.idle_deadline);
    map.bytes(5, record.data.encoded());
    map.optional_text(6, record.device.user_agent.as_deref());
    map.optional_text(7, record.device.ip.as_deref());
    map.optional_text(8, record.device.label.as_deref());
    map.optional(9, record.security_mac.as_ref(), |out, mac| {
        out.bytes(mac).map(drop)
    });
    Bytes::from(map.finish(&record.unknown))
}

pub(crate) fn decode_record(id: SessionId, bytes: &Bytes) -> Result<Record, DecodeError> {
    if bytes.len() > RECORD_MAX {
        return Err(DecodeError::Damaged("its length"));
    }
    let mut format = None;
    let mut version = None;
    let mut security = None;
    let mut last_seen = None;
    let mut idle_deadline = None;
    let mut data = Data::default();
    let mut device = Device::default();
    let mut security_mac = None;
    let mut unknown = Unknown::default();
    read_fields(bytes, "the record", |field| {
        match field.key {
            0 => format = Some(readable(field.uint("format")?)?),
            1 => version = Some(field.uint("version")?),
            2 => security = Some(decode_security(&field.bytes("security")?)?),
            3 => last_seen = Some(field.time("last seen")?),
            4 => idle_deadline = Some(field.time("idle deadline")?),
            5 => {
                data =
                    Data::decode(field.bytes("data")?).map_err(|_| DecodeError::Damaged("data"))?
            }
            6 => device.user_agent = Some(field.text("user agent")?),
            7 => device.ip = Some(field.text("address")?),
            8 => device.label = Some(field.text("label")?),
            9 => security_mac = Some(field.array("security MAC")?),
            key => unknown.0.push((key, field.keep())),
        }
        Ok(())
    })?;
    format.ok_or(DecodeError::Damaged("format"))?;
    Ok(Record {
        id,
        version: version.ok_or(DecodeError::Damaged("version"))?,
        security: security.ok_or(DecodeError::Damaged("security"))?,
        security_mac,
        activity: activity(last_seen, idle_deadline)?,
        device,
        data,
        unknown,
    })
}

fn readable(format: u64) -> Result<u64, DecodeError> {
    if format == FORMAT {
        Ok(format)
    } else {
        Err(DecodeError::Format(format))
    }
}

fn activity(
    last_seen: Option<Timestamp>,
    idle_deadline: Option<Timestamp>,
) -> Result<Activity, DecodeError> {
    let place = DecodeError::Damaged("activity");
    last_seen
        .zip(idle_deadline)
        .map(|(last_seen, idle_deadline)| Activity {
            last_seen,
            idle_deadline,
        })
        .ok_or(place)
}
