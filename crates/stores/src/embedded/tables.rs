//! The tables of the database file: names, key forms, and how a value is sealed against damage.
//!
//! Every value that decides something starts with a CRC-32 of its key and itself: the engine checks its pages only
//! after a crash, so a byte that rots under it would otherwise be believed.

use cloakroom_core::store::{Kind, Scope, StoreError};
use cloakroom_core::{Activity, App, SessionId, Subject, Timestamp};
use redb::TableDefinition;

pub(super) use crate::seal::damaged;

/// Format of all tables together; a reader refuses every other.
pub(super) const FORMAT: u64 = 1;

/// A key or value of any length.
pub(super) type Raw = &'static [u8];
/// A session id as key.
pub(super) type IdKey = &'static [u8; 16];

/// Named counters: format, epoch, sequence, the latest hard cap, the revision of each kind.
pub(super) const META: TableDefinition<'_, &str, Raw> = TableDefinition::new("meta");
/// Session id -> sealed (queued deadline, record).
pub(super) const RECORDS: TableDefinition<'_, IdKey, Raw> = TableDefinition::new("records");
/// Session id -> sealed touch: apart from the records, so that a batch of touches dirties few pages.
pub(super) const TOUCHES: TableDefinition<'_, IdKey, Raw> = TableDefinition::new("touches");
/// (subject, app, session id): the index.
pub(super) const SUBJECTS: TableDefinition<'_, Raw, ()> = TableDefinition::new("subjects");
/// (queue, deadline, key): what a sweep has to look at, and when.
pub(super) const QUEUE: TableDefinition<'_, Raw, ()> = TableDefinition::new("queue");
/// Scope -> sealed (epoch, when nobody admitted before can live any more).
pub(super) const NOT_BEFORE: TableDefinition<'_, Raw, Raw> = TableDefinition::new("not_before");
/// Replay key -> sealed time until which it is remembered.
pub(super) const REPLAY: TableDefinition<'_, Raw, Raw> = TableDefinition::new("replay");
/// (kind, name) -> sealed (version, expiry, value).
pub(super) const REGISTRY: TableDefinition<'_, Raw, Raw> = TableDefinition::new("registry");

/// What waits for its deadline; the first byte of a queue key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    Sessions = 1,
    NotBefores = 2,
    Replays = 3,
    Entries = 4,
}

const CRC: usize = 4;
const TIME: usize = 8;

/// `payload` behind a checksum over it and `key`, so that a value under a foreign key is damage too.
pub(super) fn seal(key: &[u8], payload: &[&[u8]]) -> Vec<u8> {
    let len = payload.iter().map(|part| part.len()).sum::<usize>();
    let mut sealed = Vec::with_capacity(CRC + len);
    sealed.extend_from_slice(&[0; CRC]);
    for part in payload {
        sealed.extend_from_slice(part);
    }
    let crc = checksum(key, &sealed[CRC..]);
    sealed[..CRC].copy_from_slice(&crc);
    sealed
}

/// The payload of a sealed value.
pub(super) fn unseal<'v>(
    key: &[u8],
    sealed: &'v [u8],
    what: &'static str,
) -> Result<&'v [u8], StoreError> {
    match sealed.split_at_checked(CRC) {
        Some((crc, payload)) if crc == checksum(key, payload) => Ok(payload),
        _ => Err(damaged(what)),
    }
}

fn checksum(key: &[u8], payload: &[u8]) -> [u8; CRC] {
    crate::seal::checksum(key, payload).to_be_bytes()
}

/// Takes a big-endian number from the front of `payload`.
pub(super) fn take_u64(payload: &mut &[u8], what: &'static str) -> Result<u64, StoreError> {
    let (number, rest) = payload.split_first_chunk().ok_or_else(|| damaged(what))?;
    *payload = rest;
    Ok(u64::from_be_bytes(*number))
}

/// Takes a time from the front of `payload`.
pub(super) fn take_time(payload: &mut &[u8], what: &'static str) -> Result<Timestamp, StoreError> {
    take_u64(payload, what).map(ordered_time)
}

/// A time as bytes that sort like the time, also before 1970.
pub(super) fn time_bytes(time: Timestamp) -> [u8; TIME] {
    (time.as_millis().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn ordered_time(bits: u64) -> Timestamp {
    Timestamp::from_millis((bits ^ (1 << 63)).cast_signed())
}

/// A touch: valid while the record has this version of the security block, whose timeouts it was computed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) security: u64,
    pub(super) activity: Activity,
}

impl Touch {
    pub(super) fn seal(self, id: SessionId) -> Vec<u8> {
        let parts: [&[u8]; 3] = [
            &self.security.to_be_bytes(),
            &time_bytes(self.activity.last_seen),
            &time_bytes(self.activity.idle_deadline),
        ];
        seal(id.as_bytes(), &parts)
    }

    pub(super) fn unseal(id: SessionId, sealed: &[u8]) -> Result<Self, StoreError> {
        const WHAT: &str = "reading a touch";
        let mut payload = unseal(id.as_bytes(), sealed, WHAT)?;
        Ok(Self {
            security: take_u64(&mut payload, WHAT)?,
            activity: Activity {
                last_seen: take_time(&mut payload, WHAT)?,
                idle_deadline: take_time(&mut payload, WHAT)?,
            },
        })
    }
}

/// A row of the queue.
pub(super) fn queue_key(queue: Queue, deadline: Timestamp, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + TIME + key.len());
    row.push(queue as u8);
    row.extend_from_slice(&time_bytes(deadline));
    row.extend_from_slice(key);
    row
}

/// The range of all rows of `queue` that are due at `now`: those whose deadline is at or before it.
pub(super) fn queue_due(queue: Queue, now: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let after = Timestamp::from_millis(now.as_millis().saturating_add(1));
    let from = queue_key(queue, Timestamp::from_millis(i64::MIN), &[]);
    (from, queue_key(queue, after, &[]))
}

/// The deadline and the key in a row of the queue.
pub(super) fn split_queue_key(row: &[u8]) -> Result<(Timestamp, &[u8]), StoreError> {
    const WHAT: &str = "reading the sweep queue";
    let mut rest = row.get(1..).ok_or_else(|| damaged(WHAT))?;
    let deadline = take_time(&mut rest, WHAT)?;
    Ok((deadline, rest))
}

// Names have no control characters, so 0 ends one, and 1 and 2 say whether an application follows.
const END: u8 = 0;
const NO_APP: u8 = 1;
const APP: u8 = 2;

/// The front of all index rows of `subject`, in every application.
pub(super) fn subject_prefix(subject: &Subject) -> Vec<u8> {
    let mut key = Vec::with_capacity(subject.as_str().len() + 40);
    key.extend_from_slice(subject.as_str().as_bytes());
    key.push(END);
    key
}

/// The front of all index rows of `subject` in `app`.
pub(super) fn subject_app_prefix(subject: &Subject, app: Option<&App>) -> Vec<u8> {
    let mut key = subject_prefix(subject);
    match app {
        None => key.push(NO_APP),
        Some(app) => {
            key.push(APP);
            key.extend_from_slice(app.as_str().as_bytes());
            key.push(END);
        }
    }
    key
}

/// The index row of a session.
pub(super) fn subject_key(subject: &Subject, app: Option<&App>, id: SessionId) -> Vec<u8> {
    let mut key = subject_app_prefix(subject, app);
    key.extend_from_slice(id.as_bytes());
    key
}

/// The session id at the end of an index row.
pub(super) fn id_of(row: &[u8]) -> Result<SessionId, StoreError> {
    row.last_chunk()
        .map(|id| SessionId::from_bytes(*id))
        .ok_or_else(|| damaged("reading the subject index"))
}

/// The first key behind all that start with `prefix`.
pub(super) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The key of a scope's not-before.
pub(super) fn scope_key(scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::Everything => vec![0],
        Scope::App(app) => tagged(1, app.as_str(), None),
        Scope::Subject { app: None, subject } => tagged(2, subject.as_str(), None),
        Scope::Subject {
            app: Some(app),
            subject,
        } => tagged(3, subject.as_str(), Some(app.as_str())),
    }
}

/// The keys of all not-befores that cover a session of `subject` in `app`.
pub(super) fn covering_keys(
    subject: Option<&Subject>,
    app: Option<&App>,
) -> impl Iterator<Item = Vec<u8>> {
    let pair = subject.zip(app);
    [
        Some(vec![0]),
        app.map(|app| tagged(1, app.as_str(), None)),
        subject.map(|subject| tagged(2, subject.as_str(), None)),
        pair.map(|(subject, app)| tagged(3, subject.as_str(), Some(app.as_str()))),
    ]
    .into_iter()
    .flatten()
}

fn tagged(tag: u8, first: &str, second: Option<&str>) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + first.len() + second.map_or(0, str::len));
    key.push(tag);
    key.extend_from_slice(first.as_bytes());
    if let Some(second) = second {
        key.push(END);
        key.extend_from_slice(second.as_bytes());
    }
    key
}

/// The front of all registry rows of `kind`.
pub(super) fn kind_prefix(kind: Kind) -> Vec<u8> {
    let mut key = kind.as_str().as_bytes().to_vec();
    key.push(END);
    key
}

/// The registry row of `name`.
pub(super) fn entry_key(kind: Kind, name: &str) -> Vec<u8> {
    let mut key = kind_prefix(kind);
    key.extend_from_slice(name.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_bytes() {
        let times = [i64::MIN, -1, 0, 1, 1_700_000_000_000, i64::MAX];
        let bytes: Vec<_> = times
            .iter()
            .map(|millis| time_bytes(Timestamp::from_millis(*millis)))
            .collect();
        assert!(bytes.is_sorted());
        for (millis, bytes) in times.iter().zip(&bytes) {
            let back = take_time(&mut &bytes[..], "a test").unwrap();
            assert_eq!(back.as_millis(), *millis);
        }
    }

    #[test]
    fn a_value_under_a_foreign_key_is_damage() {
        let sealed = seal(b"one", &[b"value"]);
        assert_eq!(unseal(b"one", &sealed, "a test").unwrap(), b"value");
        assert!(unseal(b"two", &sealed, "a test").is_err());
    }

    #[test]
    fn no_subject_is_the_front_of_another() {
        let a = Subject::new("a").unwrap();
        let ab = Subject::new("ab").unwrap();
        let row = subject_key(&ab, None, SessionId::from_bytes([7; 16]));
        assert!(!row.starts_with(&subject_prefix(&a)));
        assert_eq!(id_of(&row).unwrap(), SessionId::from_bytes([7; 16]));
    }

    #[test]
    fn the_end_of_a_prefix_skips_full_bytes() {
        assert_eq!(after_prefix(b"a\xff"), b"b");
    }
}
