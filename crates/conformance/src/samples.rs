//! Records and changes to test with.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::grant::{Binding, Freeze, GRANTS_MAX, Generation, Grant, TAGS_KEPT};
use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::record::{Device, Epoch, Unknown};
use cloakroom_core::{App, Change, Edits, JsonText, Policy, Record, SessionId, Subject, Timestamp};
use minicbor::{Decoder, Encoder};

/// Idle timeout of sample sessions.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// Absolute timeout of sample sessions.
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
/// Hard cap of sample sessions.
pub const HARD_CAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A session to begin.
#[derive(Debug, Clone)]
pub struct Sample {
    what: Begin,
    now: Timestamp,
}

impl Sample {
    /// An anonymous session that begins at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            what: Begin::default(),
            now,
        }
    }

    /// Belonging to `subject`, whose proof began at `admitted`.
    #[must_use]
    pub fn of(mut self, subject: &str, admitted: Epoch) -> Self {
        self.what.proof = Some(Proof::of(self::subject(subject)));
        self.what.admitted = admitted;
        self
    }

    /// In the application `app`.
    #[must_use]
    pub fn app(mut self, app: &str) -> Self {
        self.what.app = Some(self::app(app));
        self
    }

    /// With other timeouts.
    #[must_use]
    pub fn timeouts(mut self, idle: Duration, absolute: Duration) -> Self {
        self.what.idle_timeout = Some(idle);
        self.what.absolute_timeout = Some(absolute);
        self
    }

    /// With this data from the start.
    #[must_use]
    pub fn data(mut self, edits: Edits) -> Self {
        self.what.edits = edits;
        self
    }

    /// The record, under a random id.
    pub fn record(&self) -> Record {
        let policy = Policy {
            idle_timeout: IDLE,
            absolute_timeout: ABSOLUTE,
            hard_cap: HARD_CAP,
            ..Policy::default()
        };
        begin(&self.what, &policy, self.now, &rand::random()).0
    }
}

/// A subject of that name.
///
/// # Panics
/// Where the name is none.
pub fn subject(name: &str) -> Subject {
    #[expect(clippy::expect_used, reason = "the names in the suite are fixed")]
    Subject::new(name).expect("a valid subject")
}

/// An application of that name.
///
/// # Panics
/// Where the name is none.
pub fn app(name: &str) -> App {
    #[expect(clippy::expect_used, reason = "the names in the suite are fixed")]
    App::new(name).expect("a valid application")
}

/// An id that was never used.
pub fn id() -> SessionId {
    SessionId::from_bytes(rand::random())
}

/// Edits that set each name to a number.
pub fn edits<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> Edits {
    let mut edits = Edits::new();
    for (name, value) in pairs {
        edits.set(name, number(value));
    }
    edits
}

/// A change that sets one name to a number.
pub fn set(name: &str, value: u64) -> Change {
    Change::of_data(edits([(name, value)]))
}

/// A number as JSON.
pub fn number(value: u64) -> JsonText {
    #[expect(clippy::expect_used, reason = "a number always has a JSON form")]
    JsonText::of(&value).expect("a number has a JSON form")
}

/// JSON values of every shape, as the bytes an application may send: they must come back as they were.
pub const HOSTILE_JSON: &[&str] = &[
    "null",
    "true",
    "0",
    "-0.0",
    "1e400",
    "123456789012345678901234567890.123456789",
    r#""""#,
    r#""\u0000\u001b[31m\"\\\/""#,
    r#""\ud83d\ude00 \ud800""#,
    "\"\u{202e}\u{feff}é\u{1f5dd}\"",
    "[]",
    "[[[[[[[[[[[[[[[[null]]]]]]]]]]]]]]]]",
    "{}",
    r#"{"a":1,"a":2}"#,
    r#"{ "spaces" :  [ 1 , 2 ] }"#,
    r#"{"__proto__":{"admin":true}}"#,
    r#""'; DROP TABLE sessions; --""#,
];

/// Names of data that a store must not take for anything but text.
pub const HOSTILE_NAMES: &[&str] = &[
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "A",
    "a",
    "%00",
    "$where",
    "'",
    "\"",
    "\u{e9}",
    "e\u{301}",
    "\u{202e}emit",
    "ключ",
    "\u{1f5dd}\u{fe0f}",
    "\u{10ffff}",
];

/// Edits that set every hostile name to every hostile value, in turn.
pub fn hostile_edits() -> Edits {
    let mut edits = Edits::new();
    for (at, name) in HOSTILE_NAMES.iter().enumerate() {
        edits.set(*name, json(HOSTILE_JSON[at % HOSTILE_JSON.len()]));
    }
    for (at, text) in HOSTILE_JSON.iter().enumerate() {
        edits.set(format!("value {at}"), json(text));
    }
    edits
}

/// That JSON text, as it stands.
///
/// # Panics
/// Where it is not JSON.
pub fn json(text: &str) -> JsonText {
    #[expect(clippy::expect_used, reason = "the texts in the suite are JSON")]
    let raw: &serde_json::value::RawValue = serde_json::from_str(text).expect("JSON");
    JsonText::raw(raw)
}

/// A record with everything at its largest: longest names, texts and lists, and 64 KiB of data.
pub fn largest(now: Timestamp) -> Record {
    let longest = "\u{e9}".repeat(127);
    let mut record = Sample::new(now)
        .of(&longest, Epoch::ZERO)
        .app(&longest)
        .record();
    let name = "n".repeat(256);
    let mut edits = Edits::new();
    edits.set(name, json(&format!("\"{}\"", "x".repeat(65_000))));
    record.data = record.data.apply(&edits);
    record.device = Device {
        user_agent: Some("u".repeat(4096).into()),
        ip: Some("2001:db8:ffff:ffff:ffff:ffff:255.255.255.255%eth0".into()),
        label: Some("\u{1f5dd}".repeat(64).into()),
    };
    record.security.acr = Some("phr".into());
    record.security.amr = vec!["pwd".into(), "hwk".into()];
    record.security.grants = (0..GRANTS_MAX as u64).map(grant).collect();
    record.security.freeze = Some(Freeze {
        at: now,
        reason: "suspected theft".into(),
        unknown: Unknown::default(),
    });
    record.security_mac = Some([0xff; 32]);
    record.version = u64::MAX / 2;
    record
}

fn grant(id: u64) -> Grant {
    Grant {
        id,
        client: "client".into(),
        scope: "read write".into(),
        audience: vec!["https://api.example".into()],
        binding: Some(Binding::Dpop([7; 32])),
        generation: u64::MAX,
        generations: vec![Generation {
            number: u64::MAX,
            presented: vec![[1; 8]; TAGS_KEPT],
            ..Generation::default()
        }],
        ..Grant::default()
    }
}

/// `record` as a node of a later release would have written it: with fields that this release does not know, in the
/// record and in its security block.
///
/// # Errors
/// Where the record's encoding is not what this release writes.
pub fn with_unknown_fields(record: &Record) -> Result<Record, Box<dyn Error + Send + Sync>> {
    let encoded = record.encode();
    let mut fields = raw_fields(&encoded)?;
    for (key, item) in &mut fields {
        if *key == SECURITY_FIELD {
            let mut inner = raw_fields(Decoder::new(item).bytes()?)?;
            inner.push((9000, cbor(|out| out.str("of the security block"))?));
            let block = raw_map(&inner)?;
            *item = cbor(|out| out.bytes(&block))?;
        }
    }
    fields.push((9001, cbor(|out| out.array(2)?.u8(1)?.str("of the record"))?));
    fields.push((
        9002,
        cbor(|out| out.map(1)?.str("deep")?.bytes(&[0xff; 40]))?,
    ));
    Ok(Record::decode(record.id, &Bytes::from(raw_map(&fields)?))?)
}

/// The key of the security block in the stored form.
const SECURITY_FIELD: u64 = 2;

type Never = minicbor::encode::Error<std::convert::Infallible>;

fn cbor(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<&mut Encoder<Vec<u8>>, Never>,
) -> Result<Vec<u8>, Never> {
    let mut out = Encoder::new(Vec::new());
    write(&mut out)?;
    Ok(out.into_writer())
}

fn raw_fields(map: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, minicbor::decode::Error> {
    let mut decoder = Decoder::new(map);
    let count = decoder.map()?.unwrap_or(0);
    (0..count)
        .map(|_| {
            let key = decoder.u64()?;
            let start = decoder.position();
            decoder.skip()?;
            Ok((key, map[start..decoder.position()].to_vec()))
        })
        .collect()
}

fn raw_map(fields: &[(u64, Vec<u8>)]) -> Result<Vec<u8>, Never> {
    let mut map = cbor(|out| out.map(fields.len() as u64))?;
    for (key, item) in fields {
        map.extend_from_slice(&cbor(|out| out.u64(*key))?);
        map.extend_from_slice(item);
    }
    Ok(map)
}
