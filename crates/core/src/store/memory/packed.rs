//! A record in the memory store: a fifth smaller than its encoding, read in a few allocations.
//!
//! It never leaves the process, so it has no versions. The head stands at fixed places: 0 last seen · 8 idle deadline ·
//! 16 the earlier of absolute deadline and hard cap · 24 created at · 32 flags; then the counters that are changed in
//! place (admitted, version, version of the security block), application and subject. Rare contents (grants, freeze, a
//! MAC, fields of a later release) put the whole encoding behind the head instead; the head counts.
//!
//! A read allocates: the record, its subject, its application where there is one, its data; texts of the device.

use std::time::Duration;

use bytes::Bytes;

use super::bytes::{Reader, Writer};
use super::slab::Slot;
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

const FLAGS: usize = 32;
const COUNTERS: usize = 34;

/// What stands in front of a packed record.
pub(super) struct Head<'a> {
    pub(super) activity: Activity,
    pub(super) created_at: Timestamp,
    pub(super) admitted: Epoch,
    pub(super) app: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    expires_at: i64,
    version: u64,
    security_version: u64,
    flags: u16,
    rest: Reader<'a>,
}

impl Slot {
    /// The first moment at which it is over.
    pub(super) fn deadline(&self) -> Timestamp {
        Timestamp::from_millis(time(&self.bytes, 8).min(time(&self.bytes, 16)))
    }

    pub(super) fn head(&self) -> Result<Head<'_>, DecodeError> {
        head(&self.bytes)
    }

    pub(super) fn record(&self) -> Result<Record, DecodeError> {
        unpack(self.id, &self.bytes)
    }

    /// Notes a use where it stands; nothing moves back.
    pub(super) fn touch(&mut self, activity: Activity) {
        let later = activity_of(&self.bytes).later(activity);
        if let Some(place) = self.bytes.first_chunk_mut::<16>() {
            place[..8].copy_from_slice(&later.last_seen.as_millis().to_le_bytes());
            place[8..].copy_from_slice(&later.idle_deadline.as_millis().to_le_bytes());
        }
    }

    /// Admits it anew, both versions one higher, where it stands. False where the counters do not fit in their place or
    /// a MAC would no longer be right; then it has to be packed again.
    pub(super) fn readmit(&mut self, epoch: Epoch) -> Result<bool, DecodeError> {
        let head = self.head()?;
        let mut out = Writer(Vec::with_capacity(30));
        out.counter(near(epoch));
        out.counter(head.version.saturating_add(1));
        out.counter(head.security_version.saturating_add(1));
        let end = self.bytes.len() - head.rest.0.len();
        let named = name_len(head.app) + name_len(head.subject);
        let place = COUNTERS..end - named;
        if place.len() != out.0.len() || head.flags & WHOLE != 0 {
            return Ok(false);
        }
        self.bytes[place].copy_from_slice(&out.0);
        Ok(true)
    }
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

fn name_len(name: Option<&str>) -> usize {
    1 + name.map_or(0, str::len)
}

fn time(bytes: &[u8], at: usize) -> i64 {
    let place = bytes.get(at..).and_then(<[u8]>::first_chunk);
    place.map_or(0, |place| i64::from_le_bytes(*place))
}

fn activity_of(bytes: &[u8]) -> Activity {
    Activity {
        last_seen: Timestamp::from_millis(time(bytes, 0)),
        idle_deadline: Timestamp::from_millis(time(bytes, 8)),
    }
}

/// Epochs with the node's bits, mostly zero, on top: small counters stay short.
const fn near(epoch: Epoch) -> u64 {
    epoch.0.rotate_right(16)
}

/// The head alone, for a replay key: gone at `until`.
pub(super) fn mark(until: Timestamp) -> Box<[u8]> {
    let mut bytes = [0; 24];
    bytes[8..16].copy_from_slice(&until.as_millis().to_le_bytes());
    bytes[16..].copy_from_slice(&until.as_millis().to_le_bytes());
    Box::from(bytes)
}

/// The packed form, in exactly the bytes it needs.
pub(super) fn pack(record: &Record) -> Box<[u8]> {
    let security = &record.security;
    let mut out = Writer(Vec::with_capacity(256 + record.data.encoded().len()));
    let flags = flags(record);
    for time in [
        record.activity.last_seen,
        record.activity.idle_deadline,
        record.expires_at(),
        security.created_at,
    ] {
        out.bytes(&time.as_millis().to_le_bytes());
    }
    out.bytes(&flags.to_le_bytes());
    out.counter(near(security.admitted));
    out.counter(record.version);
    out.counter(security.version);
    // Names have 1 to 255 bytes, so a length fits in one and 0 says that there is none.
    for name in [
        security.app.as_ref().map_or("", App::as_str),
        security.subject.as_ref().map_or("", Subject::as_str),
    ] {
        out.bytes(&[name.len() as u8]);
        out.bytes(name.as_bytes());
    }
    if flags & WHOLE != 0 {
        out.bytes(&record.encode());
    } else {
        pack_security(record, &mut out);
        for text in [
            &record.device.user_agent,
            &record.device.ip,
            &record.device.label,
        ] {
            text.iter().for_each(|text| out.text(text));
        }
        out.bytes(record.data.encoded());
    }
    Box::from(&*out.0)
}

fn flags(record: &Record) -> u16 {
    let security = &record.security;
    let rare = !security.grants.is_empty()
        || security.freeze.is_some()
        || !security.unknown.0.is_empty()
        || !record.unknown.0.is_empty()
        || record.security_mac.is_some();
    [
        (WHOLE, rare),
        (AUTHENTICATED_AT, security.authenticated_at.is_some()),
        (ACR, security.acr.is_some()),
        (CURRENT_FROM, security.secrets.current_from.is_some()),
        (NEXT, security.secrets.next.is_some()),
        (PREVIOUS, security.secrets.previous.is_some()),
        (USER_AGENT, record.device.user_agent.is_some()),
        (IP, record.device.ip.is_some()),
        (LABEL, record.device.label.is_some()),
        (AMR, !security.amr.is_empty()),
    ]
    .into_iter()
    .filter(|(_, set)| *set)
    .fold(0, |flags, (flag, _)| flags | flag)
}

fn pack_security(record: &Record, out: &mut Writer) {
    let security = &record.security;
    let secrets = &security.secrets;
    let created = security.created_at.as_millis();
    let expires = record.expires_at().as_millis();
    out.uint(security.epoch);
    out.uint(secrets.renewals);
    out.bytes(secrets.current.as_bytes());
    out.uint(u64::try_from(security.idle_timeout.as_millis()).unwrap_or(u64::MAX));
    out.delta(security.absolute_deadline.as_millis(), expires);
    out.delta(security.hard_cap.as_millis(), expires);
    if let Some(at) = security.authenticated_at {
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
    let damaged = DecodeError::Damaged("its head");
    let fixed = bytes.get(FLAGS..COUNTERS).and_then(<[u8]>::first_chunk);
    let flags = u16::from_le_bytes(*fixed.ok_or(damaged)?);
    let mut rest = Reader(&bytes[COUNTERS..]);
    let admitted = Epoch(rest.uint()?.rotate_left(16));
    let version = rest.uint()?;
    let security_version = rest.uint()?;
    let mut name = || {
        let [len] = rest.array()?;
        let text = std::str::from_utf8(rest.take(len.into())?);
        let text = text.map_err(|_| DecodeError::Damaged("a name"))?;
        Ok::<_, DecodeError>(Some(text).filter(|text| !text.is_empty()))
    };
    let (app, subject) = (name()?, name()?);
    Ok(Head {
        activity: activity_of(bytes),
        created_at: Timestamp::from_millis(time(bytes, 24)),
        admitted,
        app,
        subject,
        expires_at: time(bytes, 16),
        version,
        security_version,
        flags,
        rest,
    })
}

fn unpack(id: SessionId, bytes: &[u8]) -> Result<Record, DecodeError> {
    let head = head(bytes)?;
    let mut rest = head.rest;
    if head.flags & WHOLE != 0 {
        let mut record = Record::decode(id, &Bytes::copy_from_slice(rest.0))?;
        record.activity = head.activity;
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
        activity: head.activity,
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
    let created = head.created_at.as_millis();
    let at = |rest: &mut Reader<'_>, from| rest.delta(from).map(Timestamp::from_millis);
    let epoch = rest.uint()?;
    let renewals = rest.uint()?;
    let current = SecretHash::from_bytes(rest.array()?);
    let idle_timeout = Duration::from_millis(rest.uint()?);
    let absolute_deadline = at(rest, head.expires_at)?;
    let hard_cap = at(rest, head.expires_at)?;
    let authenticated_at = has(AUTHENTICATED_AT)
        .then(|| at(rest, created))
        .transpose()?;
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
        created_at: head.created_at,
        idle_timeout,
        absolute_deadline,
        hard_cap,
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
