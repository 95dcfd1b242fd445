//! Reading the tables: the same for a reader's snapshot and for the writer's transaction.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::record::{Epoch, Record, Security};
use cloakroom_core::store::{Entry, Kind, Scope, StoreError};
use cloakroom_core::{App, SessionId, Subject, Timestamp};
use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata as _, TableDefinition, TableError,
    Value,
};

use super::error::Fault;
use super::tables::{
    IdKey, META, NOT_BEFORE, QUEUE, RECORDS, REGISTRY, REPLAY, Raw, SUBJECTS, TOUCHES, Touch,
    after_prefix, covering_keys, damaged, entry_key, id_of, kind_prefix, subject_app_prefix,
    subject_prefix, take_time, take_u64, unseal,
};

/// Opens the tables of one transaction.
pub(super) struct Tables<ById, Index, Rows, Meta> {
    pub(super) records: ById,
    pub(super) touches: ById,
    pub(super) subjects: Index,
    pub(super) queue: Index,
    pub(super) not_before: Rows,
    pub(super) replay: Rows,
    pub(super) registry: Rows,
    pub(super) meta: Meta,
}

/// Table by table, what a view can read.
pub(super) trait View {
    fn records(&self) -> &impl ReadableTable<IdKey, Raw>;
    fn touches(&self) -> &impl ReadableTable<IdKey, Raw>;
    fn subjects(&self) -> &impl ReadableTable<Raw, ()>;
    fn queue(&self) -> &impl ReadableTable<Raw, ()>;
    fn not_before(&self) -> &impl ReadableTable<Raw, Raw>;
    fn replay(&self) -> &impl ReadableTable<Raw, Raw>;
    fn registry(&self) -> &impl ReadableTable<Raw, Raw>;
    fn meta(&self) -> &impl ReadableTable<&'static str, Raw>;
}

impl<ById, Index, Rows, Meta> View for Tables<ById, Index, Rows, Meta>
where
    ById: ReadableTable<IdKey, Raw>,
    Index: ReadableTable<Raw, ()>,
    Rows: ReadableTable<Raw, Raw>,
    Meta: ReadableTable<&'static str, Raw>,
{
    fn records(&self) -> &impl ReadableTable<IdKey, Raw> {
        &self.records
    }
    fn touches(&self) -> &impl ReadableTable<IdKey, Raw> {
        &self.touches
    }
    fn subjects(&self) -> &impl ReadableTable<Raw, ()> {
        &self.subjects
    }
    fn queue(&self) -> &impl ReadableTable<Raw, ()> {
        &self.queue
    }
    fn not_before(&self) -> &impl ReadableTable<Raw, Raw> {
        &self.not_before
    }
    fn replay(&self) -> &impl ReadableTable<Raw, Raw> {
        &self.replay
    }
    fn registry(&self) -> &impl ReadableTable<Raw, Raw> {
        &self.registry
    }
    fn meta(&self) -> &impl ReadableTable<&'static str, Raw> {
        &self.meta
    }
}

type Open<K, V> = redb::ReadOnlyTable<K, V>;
type ReadTables = Tables<Open<IdKey, Raw>, Open<Raw, ()>, Open<Raw, Raw>, Open<&'static str, Raw>>;

/// What is committed, as of one commit.
pub(super) struct Snapshot {
    tables: ReadTables,
    /// The revocation clock in it.
    pub(super) epoch: Epoch,
}

impl Snapshot {
    pub(super) fn new(transaction: &ReadTransaction, epoch: Epoch) -> Result<Self, Fault> {
        fn open<K: Key + 'static, V: Value + 'static>(
            transaction: &ReadTransaction,
            table: TableDefinition<'_, K, V>,
        ) -> Result<Open<K, V>, TableError> {
            transaction.open_table(table)
        }
        let tables = Tables {
            records: open(transaction, RECORDS)?,
            touches: open(transaction, TOUCHES)?,
            subjects: open(transaction, SUBJECTS)?,
            queue: open(transaction, QUEUE)?,
            not_before: open(transaction, NOT_BEFORE)?,
            replay: open(transaction, REPLAY)?,
            registry: open(transaction, REGISTRY)?,
            meta: open(transaction, META)?,
        };
        Ok(Self { tables, epoch })
    }

    pub(super) fn view(&self) -> &impl View {
        &self.tables
    }
}

/// A record as found, with its written touch folded in.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) record: Arc<Record>,
    /// Where it stands in the sweep queue: never later than its deadline.
    pub(super) queued: Timestamp,
    /// Bytes of its row.
    pub(super) bytes: usize,
}

/// Reads a session; `pending` is its touch that is not yet written.
pub(super) fn stored(
    view: &impl View,
    id: SessionId,
    pending: Option<Touch>,
) -> Result<Option<Stored>, Fault> {
    let Some(row) = view.records().get(id.as_bytes())? else {
        return Ok(None);
    };
    let (queued, mut record) = decode(id, row.value())?;
    if let Some(row) = view.touches().get(id.as_bytes())? {
        fold(&mut record, Touch::unseal(id, row.value())?);
    }
    if let Some(touch) = pending {
        fold(&mut record, touch);
    }
    Ok(Some(Stored {
        record: Arc::new(record),
        queued,
        bytes: row.value().len(),
    }))
}

/// As [`stored`], and where there is nothing, makes sure of it (S-16).
///
/// The engine does not know whether a key is the one that was written. A session whose key was damaged still stands in
/// its place, so that it is the row before or behind the gap that was found, and either the order or the seal is broken.
/// The order also shows where a search was led astray by a damaged branch of the tree.
pub(super) fn stored_or_gap(
    view: &impl View,
    id: SessionId,
    pending: Option<Touch>,
) -> Result<Option<Stored>, Fault> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    const WHAT: &str = "reading the rows around a session that is not there";
    let found = stored(view, id, pending)?;
    if found.is_some() {
        return Ok(found);
    }
    let id = id.as_bytes();
    let rows = view.records();
    let before = rows
        .range::<&[u8; 16]>((Unbounded, Excluded(id)))?
        .next_back();
    let behind = rows.range::<&[u8; 16]>((Included(id), Unbounded))?.next();
    let sides = [(before, Ordering::Less), (behind, Ordering::Greater)];
    for (side, order) in sides {
        let Some((key, row)) = side.transpose()? else {
            continue;
        };
        unseal(key.value(), row.value(), WHAT)?;
        if key.value().cmp(id) != order {
            return Err(damaged(WHAT).into());
        }
    }
    Ok(None)
}

/// Reads the row of a session.
pub(super) fn decode(id: SessionId, row: &[u8]) -> Result<(Timestamp, Record), StoreError> {
    const WHAT: &str = "reading a session record";
    let mut payload = unseal(id.as_bytes(), row, WHAT)?;
    let queued = take_time(&mut payload, WHAT)?;
    let record = Record::decode(id, &Bytes::copy_from_slice(payload))?;
    Ok((queued, record))
}

fn fold(record: &mut Record, touch: Touch) {
    if touch.security == record.security.version {
        record.activity = record.activity.later(touch.activity);
    }
}

/// The latest not-before that covers a session with this security block.
pub(super) fn not_before(view: &impl View, security: &Security) -> Result<Epoch, Fault> {
    if view.not_before().is_empty()? {
        return Ok(Epoch::ZERO);
    }
    let mut latest = Epoch::ZERO;
    for key in covering_keys(security.subject.as_ref(), security.app.as_ref()) {
        latest = latest.max(not_before_at(view, &key)?.0);
    }
    Ok(latest)
}

/// The not-before under `key`, and when it may be dropped.
pub(super) fn not_before_at(view: &impl View, key: &[u8]) -> Result<(Epoch, Timestamp), Fault> {
    const WHAT: &str = "reading a not-before";
    let Some(row) = view.not_before().get(key)? else {
        return Ok((Epoch::ZERO, Timestamp::from_millis(i64::MIN)));
    };
    let mut payload = unseal(key, row.value(), WHAT)?;
    let epoch = Epoch(take_u64(&mut payload, WHAT)?);
    Ok((epoch, take_time(&mut payload, WHAT)?))
}

/// A counter; absent is zero.
pub(super) fn counter(view: &impl View, name: &str) -> Result<u64, Fault> {
    const WHAT: &str = "reading a counter";
    let Some(row) = view.meta().get(name)? else {
        return Ok(0);
    };
    let mut payload = unseal(name.as_bytes(), row.value(), WHAT)?;
    Ok(take_u64(&mut payload, WHAT)?)
}

/// At most `limit` session ids of `subject` behind `after`, ascending: in one application, or in all of them.
pub(super) fn subject_ids(
    view: &impl View,
    subject: &Subject,
    app: Option<Option<&App>>,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionId>, Fault> {
    if let Some(app) = app {
        return ids_behind(view, &subject_app_prefix(subject, app), after, limit);
    }
    // The rows stand by application: take the first ones of each, then the first ones of all.
    let whole = subject_prefix(subject);
    let end = after_prefix(&whole);
    let mut from = whole;
    let mut found = Vec::new();
    loop {
        let next = view.subjects().range::<&[u8]>(&from[..]..&end[..])?.next();
        let Some((row, _)) = next.transpose()? else {
            break;
        };
        let row = row.value();
        let prefix = row
            .get(..row.len().saturating_sub(16))
            .ok_or_else(|| damaged("reading the subject index"))?;
        found.extend(ids_behind(view, prefix, after, limit)?);
        from = after_prefix(prefix);
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}

fn ids_behind(
    view: &impl View,
    prefix: &[u8],
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionId>, Fault> {
    let end = after_prefix(prefix);
    let mut from = prefix.to_vec();
    if let Some(id) = after {
        from.extend_from_slice(id.as_bytes());
        from.push(0);
    }
    let mut ids = Vec::new();
    for row in view
        .subjects()
        .range::<&[u8]>(&from[..]..&end[..])?
        .take(limit)
    {
        ids.push(id_of(row?.0.value())?);
    }
    Ok(ids)
}

/// At most `limit` session ids of all there are, ascending, behind `after`.
pub(super) fn all_ids(
    view: &impl View,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionId>, Fault> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = after.map_or(Unbounded, |id| Excluded(*id.as_bytes()));
    let from = match &from {
        Excluded(id) => Excluded(id),
        _ => Unbounded,
    };
    let mut ids = Vec::new();
    for row in view
        .records()
        .range::<&[u8; 16]>((from, Unbounded))?
        .take(limit)
    {
        ids.push(SessionId::from_bytes(*row?.0.value()));
    }
    Ok(ids)
}

/// At most `limit` candidates for `scope` behind `after`, ascending; the records decide.
pub(super) fn candidates(
    view: &impl View,
    scope: &Scope,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionId>, Fault> {
    match scope {
        Scope::Everything | Scope::App(_) => all_ids(view, after, limit),
        Scope::Subject { app: None, subject } => subject_ids(view, subject, None, after, limit),
        Scope::Subject { app, subject } => {
            subject_ids(view, subject, Some(app.as_ref()), after, limit)
        }
    }
}

/// The registry entry called `name`, unless it is past its time at `now`.
pub(super) fn entry(
    view: &impl View,
    kind: Kind,
    name: &str,
    now: Timestamp,
) -> Result<Option<Entry>, Fault> {
    let key = entry_key(kind, name);
    let Some(row) = view.registry().get(&key[..])? else {
        return Ok(None);
    };
    let entry = decode_entry(kind, &key, row.value())?;
    Ok(Some(entry).filter(|entry| entry.expires.is_none_or(|expires| now < expires)))
}

/// Reads a registry row.
pub(super) fn decode_entry(kind: Kind, key: &[u8], row: &[u8]) -> Result<Entry, StoreError> {
    const WHAT: &str = "reading a registry entry";
    let mut payload = unseal(key, row, WHAT)?;
    let version = take_u64(&mut payload, WHAT)?;
    let expires = take_time(&mut payload, WHAT)?;
    let name = key
        .get(kind_prefix(kind).len()..)
        .and_then(|name| std::str::from_utf8(name).ok())
        .ok_or_else(|| damaged(WHAT))?;
    Ok(Entry {
        name: name.into(),
        value: Bytes::copy_from_slice(payload),
        version,
        expires: Some(expires).filter(|expires| *expires != Timestamp::NEVER),
    })
}
