//! The writer's part of `sweep`: looks at what is due, ends what is over, and puts the rest back in the queue.

use std::sync::Arc;

use cloakroom_core::store::{StoreError, Swept, SweptSession};
use cloakroom_core::{SessionId, Timestamp};
use redb::ReadableTable as _;

use super::batch::Batch;
use super::error::Fault;
use super::sessions::pass_over;
use super::tables::{Queue, queue_due, split_queue_key};
use super::view::{Stored, View, not_before_at};

/// Rows that one transaction looks at, so that a sweep never holds up requests for long.
const AT_ONCE: usize = 1024;

type Due = Vec<(Timestamp, Vec<u8>)>;

pub(super) fn sweep(batch: &mut Batch<'_>, now: Timestamp, limit: usize) -> Result<Swept, Fault> {
    let limit = limit.min(AT_ONCE);
    let mut swept = Swept::default();
    let (due, more) = due(batch, Queue::Sessions, now, limit)?;
    swept.more |= more;
    for (deadline, key) in due {
        let Some(id) = key.try_into().ok().map(SessionId::from_bytes) else {
            continue;
        };
        if let Some(gone) = visit(batch, id, deadline, now)? {
            swept.removed.push(gone);
        }
    }
    swept.more |= clear(batch, Queue::NotBefores, now, limit)?;
    swept.more |= clear(batch, Queue::Replays, now, limit)?;
    swept.more |= clear(batch, Queue::Entries, now, limit)?;
    Ok(swept)
}

/// At most `limit` rows of `queue` that are due, and whether there are more.
fn due(
    batch: &Batch<'_>,
    queue: Queue,
    now: Timestamp,
    limit: usize,
) -> Result<(Due, bool), Fault> {
    let (from, to) = queue_due(queue, now);
    let mut rows = Due::new();
    for row in batch.tables.queue().range::<&[u8]>(&from[..]..&to[..])? {
        if rows.len() == limit {
            return Ok((rows, true));
        }
        let (row, _) = row?;
        let (deadline, key) = split_queue_key(row.value()).map_err(Fault::Whole)?;
        rows.push((deadline, key.to_vec()));
    }
    Ok((rows, false))
}

fn visit(
    batch: &mut Batch<'_>,
    id: SessionId,
    queued: Timestamp,
    now: Timestamp,
) -> Result<Option<SweptSession>, Fault> {
    let found = match batch.get(id) {
        Ok(found) => found.filter(|stored| stored.queued == queued),
        Err(Fault::Own(error)) => {
            // It stays for whoever wants to look at it; no sweep comes by again.
            pass_over(id, &error);
            None
        }
        Err(fault) => return Err(fault),
    };
    let Some(stored) = found else {
        batch.dequeue(Queue::Sessions, queued, id.as_bytes())?;
        return Ok(None);
    };
    if stored.record.deadline() > now {
        return requeue(batch, stored).map(|()| None);
    }
    // From here on no touch is taken, so one that came since the look above decides, and none comes after.
    let touched = batch.mark_ending(id).is_some_and(|touch| {
        touch.security == stored.record.security.version && touch.activity.idle_deadline > now
    });
    if touched && stored.record.expires_at() > now {
        return match batch.get(id)? {
            Some(stored) => requeue(batch, stored).map(|()| None),
            None => Ok(None),
        };
    }
    batch.end(&stored)?;
    Ok(Some(SweptSession {
        id,
        subject: stored.record.security.subject.clone(),
        deadline: stored.record.deadline(),
    }))
}

/// Moves a session to where its deadline is now. Its row is written anyway, so its touch goes into it.
fn requeue(batch: &mut Batch<'_>, mut stored: Stored) -> Result<(), Fault> {
    let id = stored.record.id;
    batch.dequeue(Queue::Sessions, stored.queued, id.as_bytes())?;
    stored.queued = Timestamp::NEVER;
    batch.tables.touches.remove(id.as_bytes())?;
    batch.put(Arc::clone(&stored.record), Some(&stored))
}

/// Removes what is due in a queue of things that never move.
fn clear(batch: &mut Batch<'_>, queue: Queue, now: Timestamp, limit: usize) -> Result<bool, Fault> {
    let (due, more) = due(batch, queue, now, limit)?;
    for (deadline, key) in due {
        batch.dequeue(queue, deadline, &key)?;
        match queue {
            Queue::Sessions => {}
            Queue::Replays => drop(batch.tables.replay.remove(&key[..])?),
            Queue::Entries => drop(batch.tables.registry.remove(&key[..])?),
            Queue::NotBefores => match not_before_at(&batch.tables, &key) {
                Ok((_, until)) if until == deadline => {
                    batch.tables.not_before.remove(&key[..])?;
                }
                Ok(_) => {}
                Err(Fault::Own(error)) => passed(&error),
                Err(fault) => return Err(fault),
            },
        }
    }
    Ok(more)
}

fn passed(error: &StoreError) {
    tracing::error!(%error, "passed over a not-before that cannot be read");
}
