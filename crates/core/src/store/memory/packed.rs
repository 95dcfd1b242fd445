//! A record in the memory store: two thirds of its encoding, read in a few allocations.
//!
//! It never leaves the process, so it has no versions. First come flags (2 bytes) and [`super::times`]; then the counters
//! (admitted, version, version of the security block), application and subject: that much is the *head*, at most 600
//! bytes. Rare contents (grants, freeze, a MAC, fields of a later release) put the whole encoding behind it instead of
//! the rest; the head counts.
//!
//! A read allocates: the record, its subject, its application where there is one, its data; texts of the device.

use bytes::Bytes;

use super::bytes::{Reader, Writer};
use super::times::{self, Times};
use crate::data::Data;
use crate::record::{
    Activity, DecodeError, Derivation, Device, Epoch, NextSecret, PreviousSecret, Record, Secrets,
    Security, Unknown,
};
use crate::store::Scope;
use crate::subject::{App, Subject};
use crate::time::Timestamp;
use crate::token::{SecretHash, SessionId};

const WHOLE: u16 = 1;
const AUTHENTICATED_AT: u16 = 1 << 1;
const ACR: u16 = 1 << 2;
const CURRENT_FROM: u16 = 1 << 3;
const NEXT: u16 = 1 << 4;
const PREVIOUS: u16 = 1 << 5;
const USER_AGENT: u16 = 1 << 6;
const IP: u16 = 1 << 7;
const LABEL: u16 = 1 << 8;
const AMR: u16 = 1 << 9;
const APP: u16 = 1 << 10;
const SUBJECT: u16 = 1 << 11;
const WIDE: u16 = 1 << 12;
/// Its generation or its renewals are not 0.
const COUNTED: u16 = 1 << 13;
/// Its subject was proven when it began.
const PROVEN_AT_START: u16 = 1 << 14;

/// Where the times begin.
const TIMES: usize = 2;
/// More than any head has: flags, times, three counters, two names.
pub(super) const HEAD_MAX: usize = TIMES + times::MAX + 3 * 10 + 2 * 256;

/// What stands in front of a packed record.
pub(super) struct Head<'a> {
    pub(super) times: Times,
    pub(super) admitted: Epoch,
    pub(super) app: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    version: u64,
    security_version: u64,
    flags: u16,
    rest: Reader<'a>,
}

impl Head<'_> {
    pub(super) fn is_in(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Everything => true,
            Scope::App(app) => self.app == Some(app.as_str()),
            Scope::Subject { app, subject } => {
                self.subject == Some(subject.as_str())
                    && app
                        .as_ref()
                        .is_none_or(|app| self.app == Some(app.as_str()))
            }
        }
    }
}

/// Epochs with the node's bits, mostly zero, on top: small counters stay short.
const fn near(epoch: Epoch) -> u64 {
    epoch.0.rotate_right(16)
}

fn flags_of(bytes: &[u8]) -> u16 {
    bytes.first_chunk().copied().map_or(0, u16::from_le_bytes)
}

/// The first moment at which it is over.
pub(super) fn deadline(bytes: &[u8]) -> Timestamp {
    let times = bytes.get(TIMES..).unwrap_or_default();
    times::deadline(times, flags_of(bytes) & WIDE != 0)
}

/// Notes a use where it stands; nothing moves back.
pub(super) fn touch(bytes: &mut [u8], activity: Activity) {
    let wide = flags_of(bytes) & WIDE != 0;
    if let Some(times) = bytes.get_mut(TIMES..) {
        times::touch(times, wide, activity);
    }
}

/// The head alone, for a replay key: gone at `until`.
pub(super) fn mark(until: Timestamp) -> Vec<u8> {
    let times = Times::all_at(until);
    let mut out = Writer(Vec::with_capacity(TIMES + times::MAX));
    let wide = !times.are_near();
    out.bytes(&(if wide { WIDE } else { 0 }).to_le_bytes());
    times.write(wide, &mut out);
    out.0
}

/// The packed form.
pub(super) fn pack(record: &Record) -> Vec<u8> {
    let security = &record.security;
    let times = Times::of(record);
    let flags = flags(record, &times);
    let mut out = Writer(Vec::with_capacity(256 + record.data.encoded().len()));
    out.bytes(&flags.to_le_bytes());
    times.write(flags & WIDE != 0, &mut out);
    out.uint(near(security.admitted));
    out.uint(record.version);
    out.uint(security.version);
    let app = security.app.as_ref().map(App::as_str);
    let subject = security.subject.as_ref().map(Subject::as_str);
    for name in [app, subject].into_iter().flatten() {
        // Names have 1 to 255 bytes.
        out.bytes(&[name.len() as u8]);
        out.bytes(name.as_bytes());
    }
    if flags & WHOLE != 0 {
        out.bytes(&record.encode());
    } else {
        pack_security(record, flags, &mut out);
        for text in [
            &record.device.user_agent,
            &record.device.ip,
            &record.device.label,
        ] {
            text.iter().for_each(|text| out.text(text));
        }
        out.bytes(record.data.encoded());
    }
    out.0
}

fn flags(record: &Record, times: &Times) -> u16 {
    let security = &record.security;
    let rare = !security.grants.is_empty()
        || security.freeze.is_some()
        || !security.unknown.0.is_empty()
        || !record.unknown.0.is_empty()
        || record.security_mac.is_some();
    [
        (WHOLE, rare),
        (
            AUTHENTICATED_AT,
            security
                .authenticated_at
                .is_some_and(|at| at != security.created_at),
        ),
        (
            PROVEN_AT_START,
            security.authenticated_at == Some(security.created_at),
        ),
        (ACR, security.acr.is_some()),
        (CURRENT_FROM, security.secrets.current_from.is_some()),
        (NEXT, security.secrets.next.is_some()),
        (PREVIOUS, security.secrets.previous.is_some()),
        (USER_AGENT, record.device.user_agent.is_some()),
        (IP, record.device.ip.is_some()),
        (LABEL, record.device.label.is_some()),
        (AMR, !security.amr.is_empty()),
        (APP, security.app.is_some()),
        (SUBJECT, security.subject.is_some()),
        (WIDE, !times.are_near()),
        (
            COUNTED,
            security.epoch != 0 || security.secrets.renewals != 0,
        ),
    ]
    .into_iter()
    .filter(|(_, set)| *set)
    .fold(0, |flags, (flag, _)| flags | flag)
}

fn pack_security(record: &Record, flags: u16, out: &mut Writer) {
    let security = &record.security;
    let secrets = &security.secrets;
    let created = security.created_at.as_millis();
    if flags & COUNTED != 0 {
        out.uint(security.epoch);
        out.uint(secrets.renewals);
    }
    out.bytes(secrets.current.as_bytes());
    if let Some(at) = security.authenticated_at
        && at != security.created_at
    {
        out.delta(at.as_millis(), created);
    }
    security.acr.iter().for_each(|acr| out.text(acr));
    if !security.amr.is_empty() {
        out.uint(security.amr.len() as u64);
        security.amr.iter().for_each(|amr| out.text(amr));
    }
    if let Some(from) = secrets.current_from {
        pack_derivation(from, out);
    }
    if let Some(next) = secrets.next {
        out.bytes(next.hash.as_bytes());
        pack_derivation(next.from, out);
        out.delta(next.issued_at.as_millis(), created);
    }
    if let Some(previous) = secrets.previous {
        out.bytes(previous.hash.as_bytes());
        out.delta(previous.until.as_millis(), created);
    }
}

fn pack_derivation(from: Derivation, out: &mut Writer) {
    out.uint(from.number);
    out.bytes(&from.nonce);
}

pub(super) fn head(bytes: &[u8]) -> Result<Head<'_>, DecodeError> {
    let mut rest = Reader(bytes);
    let flags = u16::from_le_bytes(rest.array()?);
    let times = Times::read(flags & WIDE != 0, &mut rest)?;
    let admitted = Epoch(rest.uint()?.rotate_left(16));
    let version = rest.uint()?;
    let security_version = rest.uint()?;
    let mut name = |flag| {
        if flags & flag == 0 {
            return Ok(None);
        }
        let [len] = rest.array()?;
        let text = std::str::from_utf8(rest.take(len.into())?);
        let text = text.map_err(|_| DecodeError::Damaged("a name"))?;
        Ok::<_, DecodeError>(Some(text))
    };
    let (app, subject) = (name(APP)?, name(SUBJECT)?);
    Ok(Head {
        times,
        admitted,
        app,
        subject,
        version,
        security_version,
        flags,
        rest,
    })
}

pub(super) fn unpack(id: SessionId, bytes: &[u8]) -> Result<Record, DecodeError> {
    let head = head(bytes)?;
    let mut rest = head.rest;
    if head.flags & WHOLE != 0 {
        let mut record = Record::decode(id, &Bytes::copy_from_slice(rest.0))?;
        record.activity = head.times.activity;
        return Ok(record);
    }
    let security = unpack_security(&head, &mut rest)?;
    let device = Device {
        user_agent: optional(&head, USER_AGENT, &mut rest)?,
        ip: optional(&head, IP, &mut rest)?,
        label: optional(&head, LABEL, &mut rest)?,
    };
    let data = Data::kept(Bytes::copy_from_slice(rest.0));
    Ok(Record {
        id,
        version: head.version,
        security,
        security_mac: None,
        activity: head.times.activity,
        device,
        data: data.ok_or(DecodeError::Damaged("data"))?,
        unknown: Unknown::default(),
    })
}

fn optional(
    head: &Head<'_>,
    flag: u16,
    rest: &mut Reader<'_>,
) -> Result<Option<Box<str>>, DecodeError> {
    (head.flags & flag != 0)
        .then(|| rest.text().map(Box::from))
        .transpose()
}

fn unpack_security(head: &Head<'_>, rest: &mut Reader<'_>) -> Result<Security, DecodeError> {
    let has = |flag| head.flags & flag != 0;
    let times = &head.times;
    let created = times.created_at.as_millis();
    let at = |rest: &mut Reader<'_>, from| rest.delta(from).map(Timestamp::from_millis);
    let (epoch, renewals) = if has(COUNTED) {
        (rest.uint()?, rest.uint()?)
    } else {
        (0, 0)
    };
    let current = SecretHash::from_bytes(rest.array()?);
    let authenticated_at = if has(AUTHENTICATED_AT) {
        Some(at(rest, created)?)
    } else {
        has(PROVEN_AT_START).then_some(times.created_at)
    };
    let acr = optional(head, ACR, rest)?;
    let count = if has(AMR) { rest.len()? } else { 0 };
    let amr = (0..count)
        .map(|_| rest.text().map(Box::from))
        .collect::<Result<_, _>>()?;
    let current_from = has(CURRENT_FROM).then(|| derivation(rest)).transpose()?;
    let next = has(NEXT)
        .then(|| {
            Ok(NextSecret {
                hash: SecretHash::from_bytes(rest.array()?),
                from: derivation(rest)?,
                issued_at: at(rest, created)?,
            })
        })
        .transpose()?;
    let previous = has(PREVIOUS)
        .then(|| {
            Ok(PreviousSecret {
                hash: SecretHash::from_bytes(rest.array()?),
                until: at(rest, created)?,
            })
        })
        .transpose()?;
    let name = |_| DecodeError::Damaged("a name");
    Ok(Security {
        version: head.security_version,
        epoch,
        admitted: head.admitted,
        app: head.app.map(App::new).transpose().map_err(name)?,
        subject: head.subject.map(Subject::new).transpose().map_err(name)?,
        secrets: Secrets {
            current,
            current_from,
            next,
            previous,
            renewals,
        },
        acr,
        amr,
        authenticated_at,
        created_at: times.created_at,
        idle_timeout: times.idle_timeout,
        absolute_deadline: times.absolute_deadline,
        hard_cap: times.hard_cap,
        grants: Vec::new(),
        freeze: None,
        unknown: Unknown::default(),
    })
}

fn derivation(rest: &mut Reader<'_>) -> Result<Derivation, DecodeError> {
    Ok(Derivation {
        number: rest.uint()?,
        nonce: rest.array()?,
    })
}
