//! The writer's part of `create`, `update`, `delete` and touches that the hot map could not judge.

use std::sync::Arc;

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::{Record, Security};
use cloakroom_core::store::{
    Created, Deleted, ErrorKind, Expect, Loaded, Refusal, StoreError, Touched, Updated,
};
use cloakroom_core::{Activity, Change, SessionId, SubjectLimit, Timestamp};
use redb::ReadableTable as _;

use super::batch::Batch;
use super::error::Fault;
use super::tables::Touch;
use super::view::{Stored, View, subject_ids};

/// Bytes of data that a session holds at most: its row has to fit into a region of the file.
const DATA_MAX: usize = 8 * 1024 * 1024;

fn check_size(record: &Record) -> Result<(), Fault> {
    if record.data.encoded().len() <= DATA_MAX {
        return Ok(());
    }
    let what = "the embedded store holds at most 8 MiB of data in a session";
    Err(StoreError::new(ErrorKind::Denied, what).into())
}

pub(super) fn create(
    batch: &mut Batch<'_>,
    record: &Arc<Record>,
    limit: SubjectLimit,
    now: Timestamp,
) -> Result<Created, Fault> {
    check_size(record)?;
    let old = batch.get_new(record.id)?;
    if let Some(old) = &old
        && now < old.record.deadline()
    {
        return Ok(Created::Exists);
    }
    let ended = match admit(batch, &record.security, record.id, limit, now)? {
        Ok(ended) => ended,
        Err(refusal) => return Ok(Created::Refused(refusal)),
    };
    if let Some(old) = &old {
        batch.end(old)?;
    }
    let ids = end_all(batch, &ended)?;
    batch.put(Arc::clone(record), None)?;
    Ok(Created::Done(ids))
}

pub(super) fn update(
    batch: &mut Batch<'_>,
    id: SessionId,
    expect: Expect,
    change: &Change,
    limit: SubjectLimit,
    now: Timestamp,
) -> Result<Updated, Fault> {
    let Some(old) = batch.live(id, now)? else {
        return Ok(Updated::Gone);
    };
    if !expect.holds(&old.record) {
        let not_before = batch.not_before(&old.record)?;
        return Ok(Updated::Conflict(Loaded {
            record: old.record,
            not_before,
            store_now: None,
        }));
    }
    let mut ended = Vec::new();
    if let Some(security) = &change.security {
        let before = &old.record.security;
        let joins = security.subject != before.subject || security.app != before.app;
        let limit = if joins { limit } else { SubjectLimit::NONE };
        match admit(batch, security, id, limit, now)? {
            Ok(oldest) => ended = oldest,
            Err(refusal) => return Ok(Updated::Refused(refusal)),
        }
    }
    let record = Arc::new(old.record.apply(change));
    check_size(&record)?;
    let ended = end_all(batch, &ended)?;
    batch.put(Arc::clone(&record), Some(&old))?;
    Ok(Updated::Done { record, ended })
}

/// Whether a session with this block may stand, and which sessions have to end for it.
fn admit(
    batch: &Batch<'_>,
    security: &Security,
    id: SessionId,
    limit: SubjectLimit,
    now: Timestamp,
) -> Result<Result<Vec<Stored>, Refusal>, Fault> {
    if security.admitted < super::view::not_before(&batch.tables, security)? {
        return Ok(Err(Refusal::Revoked));
    }
    let (Some(subject), Some(max)) = (&security.subject, limit.max) else {
        return Ok(Ok(Vec::new()));
    };
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let app = security.app.as_ref();
    let ids = subject_ids(&batch.tables, subject, Some(app), None, usize::MAX)?;
    // The index may name too many, never too few: where even that is no more than allowed, no record is read.
    if ids.len() < max {
        return Ok(Ok(Vec::new()));
    }
    let mut others = Vec::new();
    for other in ids.into_iter().filter(|other| *other != id) {
        if let Some(stored) = batch.live(other, now)? {
            others.push(stored);
        }
    }
    let over = (others.len() + 1).saturating_sub(max);
    if over > 0 && (max == 0 || limit.on_full == OnFull::Deny) {
        return Ok(Err(Refusal::TooManySessions));
    }
    others.sort_unstable_by_key(|stored| (stored.record.security.created_at, stored.record.id));
    others.truncate(over);
    Ok(Ok(others))
}

fn end_all(batch: &mut Batch<'_>, sessions: &[Stored]) -> Result<Vec<SessionId>, Fault> {
    for stored in sessions {
        batch.end(stored)?;
    }
    Ok(sessions.iter().map(|stored| stored.record.id).collect())
}

pub(super) fn delete(batch: &mut Batch<'_>, id: SessionId) -> Result<Deleted, Fault> {
    let Some(old) = batch.get(id)? else {
        return Ok(Deleted::Absent);
    };
    batch.end(&old)?;
    Ok(Deleted::Done(old.record))
}

/// Notes a touch of a session that readers cannot see in the hot map.
pub(super) fn touch(
    batch: &mut Batch<'_>,
    id: SessionId,
    activity: Activity,
    now: Timestamp,
) -> Result<Touched, Fault> {
    let Some(old) = batch.live(id, now)? else {
        return Ok(Touched::Gone);
    };
    let touch = Touch {
        security: old.record.security.version,
        activity: old.record.activity.later(activity),
    };
    batch.hot.note(id, touch);
    Ok(Touched::Done)
}

/// Writes at most `limit` of the touches that wait.
pub(super) fn write_touches(batch: &mut Batch<'_>, limit: usize) -> Result<(), Fault> {
    for (id, touch) in batch.hot.some_touches(limit) {
        let ended = match batch.effects.sessions.get(&id) {
            Some(written) => written.is_none(),
            None => batch.tables.records().get(id.as_bytes())?.is_none(),
        };
        if !ended {
            batch.effects.dirty = true;
            batch
                .tables
                .touches
                .insert(id.as_bytes(), &touch.seal(id)[..])?;
        }
        batch.effects.touches.push((id, touch));
    }
    Ok(())
}

/// A session that cannot be read: reported once and passed over, where one must not hold up all.
pub(super) fn pass_over(id: SessionId, error: &StoreError) {
    tracing::error!(session = %id, %error, "passed over a session that cannot be read");
}
