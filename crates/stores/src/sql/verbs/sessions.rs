//! `create`, `update` and `delete`.

use std::sync::Arc;

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::{Epoch, Record, Security};
use cloakroom_core::store::{
    Created, Deleted, ErrorKind, Expect, Loaded, Refusal, StoreError, Touched, Updated,
};
use cloakroom_core::{Activity, Change, SessionId, SubjectLimit, Timestamp};

use super::keys::{keys_of, subject_key};
use super::stored::{DATA_MAX, Row, Written, not_before};
use super::touches::Touch;
use super::tx::{Among, Tx};

/// That the record is not too large for its row.
pub(in crate::sql) fn check_size(record: &Record) -> Result<(), StoreError> {
    if record.data.encoded().len() <= DATA_MAX {
        return Ok(());
    }
    let what = "a database store holds at most 8 MiB of data in a session";
    Err(StoreError::new(ErrorKind::Denied, what))
}

/// The sessions that a login has to look at besides its own, and how many it may leave.
struct Others {
    ids: Vec<SessionId>,
    max: Option<usize>,
}

/// Takes the turn of the subject of `security`, where his sessions have to be counted.
async fn others<T: Tx>(
    tx: &mut T,
    security: &Security,
    limit: SubjectLimit,
) -> Result<Others, StoreError> {
    let (Some(subject), Some(max)) = (&security.subject, limit.max) else {
        return Ok(Others {
            ids: Vec::new(),
            max: None,
        });
    };
    let app = security.app.as_ref();
    tx.lock_subject(&subject_key(subject, app), security.hard_cap)
        .await?;
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let mut ids = tx
        .ids(Among::Exactly(subject, app), None, usize::MAX)
        .await?;
    // The rows may be too many, never too few: where even they are no more than allowed, no record is read.
    if ids.len() < max {
        ids.clear();
    }
    Ok(Others {
        ids,
        max: Some(max),
    })
}

/// Locks and reads the session `id` and the `others`, in one order with everybody else.
async fn rows_with<T: Tx>(
    tx: &mut T,
    id: SessionId,
    others: &Others,
) -> Result<(Option<Row>, Vec<Row>), StoreError> {
    let mut ids = others.ids.clone();
    ids.push(id);
    ids.sort_unstable();
    ids.dedup();
    let (own, rest) = tx
        .rows(&ids)
        .await?
        .into_iter()
        .partition::<Vec<_>, _>(|row| row.id == id);
    Ok((own.into_iter().next(), rest))
}

/// Whether a session with this block may stand, and which of `rows` have to end for it.
fn admit<T: Tx>(
    tx: &T,
    security: &Security,
    not_before: Epoch,
    rows: &[Row],
    (limit, max): (SubjectLimit, Option<usize>),
    now: Timestamp,
) -> Result<Result<Vec<SessionId>, Refusal>, StoreError> {
    if security.admitted < not_before {
        return Ok(Err(Refusal::Revoked));
    }
    let Some(max) = max else {
        return Ok(Ok(Vec::new()));
    };
    let mut live = Vec::new();
    for row in rows {
        let record = row.decode(tx.pending(row.id))?;
        // Between the look at the index and the lock it may have become another subject's.
        let same =
            record.security.subject == security.subject && record.security.app == security.app;
        if same && now < record.deadline() && record.security.admitted >= not_before {
            live.push((record.security.created_at, record.id));
        }
    }
    let over = (live.len() + 1).saturating_sub(max);
    if over > 0 && (max == 0 || limit.on_full == OnFull::Deny) {
        return Ok(Err(Refusal::TooManySessions));
    }
    live.sort_unstable();
    live.truncate(over);
    Ok(Ok(live.into_iter().map(|(_, id)| id).collect()))
}

async fn remove_all<T: Tx>(tx: &mut T, ids: &[SessionId]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    tx.remove(ids).await
}

/// See [`cloakroom_core::store::Store::create`].
pub(in crate::sql) async fn create<T: Tx>(
    tx: &mut T,
    record: &Record,
    limit: SubjectLimit,
) -> Result<Created, StoreError> {
    check_size(record)?;
    let others = others(tx, &record.security, limit).await?;
    let (old, rows) = rows_with(tx, record.id, &others).await?;
    let now = tx.now().await?;
    if let Some(old) = old {
        if now < old.decode(tx.pending(old.id))?.deadline() {
            return Ok(Created::Exists);
        }
        tx.remove(&[record.id]).await?;
    }
    let not_before = not_before(tx, &keys_of(&record.security)).await?;
    let bounds = (limit, others.max);
    let ended = match admit(tx, &record.security, not_before, &rows, bounds, now)? {
        Ok(ended) => ended,
        Err(refusal) => return Ok(Created::Refused(refusal)),
    };
    remove_all(tx, &ended).await?;
    raise_latest_cap(tx, record.security.hard_cap).await?;
    if !tx.insert(Written::of(record)).await? {
        return Ok(Created::Exists);
    }
    Ok(Created::Done(ended))
}

/// See [`cloakroom_core::store::Store::update`].
pub(in crate::sql) async fn update<T: Tx>(
    tx: &mut T,
    id: SessionId,
    expect: Expect,
    change: &Change,
    limit: SubjectLimit,
) -> Result<Updated, StoreError> {
    let others = match &change.security {
        Some(security) => others(tx, security, limit).await?,
        None => Others {
            ids: Vec::new(),
            max: None,
        },
    };
    let (own, rows) = rows_with(tx, id, &others).await?;
    let now = tx.now().await?;
    let Some(own) = own else {
        return Ok(Updated::Gone);
    };
    let old = own.decode(tx.pending(id))?;
    let not_before_old = not_before(tx, &keys_of(&old.security)).await?;
    if now >= old.deadline() || old.security.admitted < not_before_old {
        return Ok(Updated::Gone);
    }
    if !expect.holds(&old) {
        return Ok(Updated::Conflict(Loaded {
            record: old,
            not_before: not_before_old,
            store_now: tx.store_now(now),
        }));
    }
    let mut ended = Vec::new();
    if let Some(security) = &change.security {
        let before = &old.security;
        let joins = security.subject != before.subject || security.app != before.app;
        let bounds = (limit, others.max.filter(|_| joins));
        let not_before = if joins {
            not_before(tx, &keys_of(security)).await?
        } else {
            not_before_old
        };
        match admit(tx, security, not_before, &rows, bounds, now)? {
            Ok(oldest) => ended = oldest,
            Err(refusal) => return Ok(Updated::Refused(refusal)),
        }
    }
    let record = Arc::new(old.apply(change));
    check_size(&record)?;
    remove_all(tx, &ended).await?;
    if change.security.is_some() {
        raise_latest_cap(tx, record.security.hard_cap).await?;
    }
    tx.replace(Written::of(&record)).await?;
    Ok(Updated::Done { record, ended })
}

/// See [`cloakroom_core::store::Store::delete`].
pub(in crate::sql) async fn delete<T: Tx>(
    tx: &mut T,
    id: SessionId,
) -> Result<Deleted, StoreError> {
    let Some(row) = tx.rows(&[id]).await?.pop() else {
        return Ok(Deleted::Absent);
    };
    let last = row.decode(tx.pending(id))?;
    tx.remove(&[id]).await?;
    Ok(Deleted::Done(last))
}

/// How near a session's deadline has to be for its touch to be written before it is answered: another process, whose
/// clock may be ahead, could sweep it meanwhile.
const NEAR: std::time::Duration = std::time::Duration::from_secs(60);

/// Whether a touch of `record` may not wait.
pub(in crate::sql) fn is_near(record: &Record, now: Timestamp) -> bool {
    now.plus(NEAR) >= record.deadline()
}

/// See [`cloakroom_core::store::Store::touch`]; for those that may not wait.
pub(in crate::sql) async fn touch<T: Tx>(
    tx: &mut T,
    id: SessionId,
    activity: Activity,
) -> Result<Touched, StoreError> {
    let Some(row) = tx.rows(&[id]).await?.pop() else {
        return Ok(Touched::Gone);
    };
    let now = tx.now().await?;
    let record = row.decode(tx.pending(id))?;
    let not_before = not_before(tx, &keys_of(&record.security)).await?;
    if now >= record.deadline() || record.security.admitted < not_before {
        return Ok(Touched::Gone);
    }
    let touch = Touch {
        security: record.security.version,
        activity: record.activity.later(activity),
    };
    tx.write_touch(id, touch).await?;
    Ok(Touched::Done)
}

/// The counter of the latest hard cap: a not-before is kept until then.
pub(in crate::sql) const LATEST_CAP: &str = "latest cap";

/// Rounded up to days, so that it is written once a day and not with every session.
async fn raise_latest_cap<T: Tx>(tx: &mut T, cap: Timestamp) -> Result<(), StoreError> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    if cap <= tx.known_cap() {
        return Ok(());
    }
    let days = cap.as_millis().div_euclid(DAY).saturating_add(1);
    let rounded = Timestamp::from_millis(days.saturating_mul(DAY));
    tx.raise_cap(rounded).await
}

/// A counter read, raised where it is behind, and what it is then.
pub(in crate::sql) async fn raise_to<T: Tx>(
    tx: &mut T,
    name: &str,
    least: u64,
) -> Result<u64, StoreError> {
    let value = tx.counter(name).await?;
    let now = super::stored::decode_counter(name, value.as_deref())?;
    if now >= least {
        return Ok(now);
    }
    tx.set_counter(name, super::stored::encode_counter(name, least))
        .await?;
    Ok(least)
}
