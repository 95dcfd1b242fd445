//! The writer's transaction: what pieces of work read and write in it, and what is to be shown once it is kept.

use std::sync::Arc;

use cloakroom_core::record::{Epoch, Record};
use cloakroom_core::store::Kind;
use cloakroom_core::{SessionId, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use redb::{Table, WriteTransaction};

use super::error::Fault;
use super::hot::{Hot, Seen};
use super::tables::{
    IdKey, META, NOT_BEFORE, QUEUE, Queue, RECORDS, REGISTRY, REPLAY, Raw, SUBJECTS, TOUCHES,
    Touch, queue_key, seal, subject_key, time_bytes,
};
use super::view::{Stored, Tables, View, counter, not_before, stored, stored_or_gap};

/// Counters that the writer keeps in memory; they change only with a kept transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    /// The revocation clock.
    pub(super) epoch: Epoch,
    /// Numbers registry writes; never repeats.
    pub(super) sequence: u64,
    /// No session lives beyond this time.
    pub(super) latest_cap: Timestamp,
    /// The last write of each kind, in the order of [`KINDS`].
    pub(super) revisions: [u64; KINDS.len()],
}

/// All kinds, in the order of their declaration.
pub(super) const KINDS: [Kind; 8] = [
    Kind::User,
    Kind::ApiKey,
    Kind::Client,
    Kind::Ring,
    Kind::Code,
    Kind::Idempotency,
    Kind::Clock,
    Kind::Setting,
];

impl Counters {
    pub(super) fn read(view: &impl View) -> Result<Self, Fault> {
        let mut revisions = [0; KINDS.len()];
        for kind in KINDS {
            revisions[kind as usize] = counter(view, kind.as_str())?;
        }
        Ok(Self {
            epoch: Epoch(counter(view, "epoch")?),
            sequence: counter(view, "sequence")?,
            latest_cap: Timestamp::from_millis(counter(view, "latest cap")?.cast_signed()),
            revisions,
        })
    }
}

/// What one transaction changes for readers.
#[derive(Default)]
pub(super) struct Effects {
    /// Sessions it wrote (`Some`) or ended (`None`).
    pub(super) sessions: HashMap<SessionId, Option<Stored>, RandomState>,
    /// Sessions at which readers were sent to the file.
    marked: Vec<SessionId>,
    /// Touches it wrote, or found to be of no use.
    pub(super) touches: Vec<(SessionId, Touch)>,
    /// Whether anything is to be kept at all.
    pub(super) dirty: bool,
    /// Scopes whose sessions are to be removed little by little, as they are denied already.
    pub(super) purges: Vec<super::revoke::Purge>,
}

type WriteTables<'t> = Tables<
    Table<'t, IdKey, Raw>,
    Table<'t, Raw, ()>,
    Table<'t, Raw, Raw>,
    Table<'t, &'static str, Raw>,
>;

/// See the module.
pub(super) struct Batch<'t> {
    pub(super) tables: WriteTables<'t>,
    pub(super) effects: &'t mut Effects,
    pub(super) counters: &'t mut Counters,
    pub(super) hot: &'t Hot,
}

impl<'t> Batch<'t> {
    pub(super) fn new(
        transaction: &'t WriteTransaction,
        effects: &'t mut Effects,
        counters: &'t mut Counters,
        hot: &'t Hot,
    ) -> Result<Self, Fault> {
        Ok(Self {
            tables: open_tables(transaction)?,
            effects,
            counters,
            hot,
        })
    }

    /// The session as this transaction sees it.
    pub(super) fn get(&self, id: SessionId) -> Result<Option<Stored>, Fault> {
        match self.effects.sessions.get(&id) {
            Some(stored) => Ok(stored.clone()),
            None => stored_or_gap(&self.tables, id, self.hot.touch_of(id)),
        }
    }

    /// As [`get`](Self::get), for an id that nobody is to have: that it is free is not looked at twice.
    pub(super) fn get_new(&self, id: SessionId) -> Result<Option<Stored>, Fault> {
        match self.effects.sessions.get(&id) {
            Some(stored) => Ok(stored.clone()),
            None => stored(&self.tables, id, self.hot.touch_of(id)),
        }
    }

    /// The session, if it may be used at `now`.
    pub(super) fn live(&self, id: SessionId, now: Timestamp) -> Result<Option<Stored>, Fault> {
        match self.get(id)? {
            Some(stored) if self.is_live(&stored.record, now)? => Ok(Some(stored)),
            _ => Ok(None),
        }
    }

    /// Whether `record` may be used at `now`: before its deadline, and not revoked.
    pub(super) fn is_live(&self, record: &Record, now: Timestamp) -> Result<bool, Fault> {
        Ok(now < record.deadline() && record.security.admitted >= self.not_before(record)?)
    }

    pub(super) fn not_before(&self, record: &Record) -> Result<Epoch, Fault> {
        not_before(&self.tables, &record.security)
    }

    /// Writes `record` in the place of `old`.
    pub(super) fn put(&mut self, record: Arc<Record>, old: Option<&Stored>) -> Result<(), Fault> {
        let id = record.id;
        self.effects.marked.push(id);
        self.hot.writing(id);
        self.effects.dirty = true;
        self.index(&record, old.map(|old| &*old.record))?;
        let deadline = record.deadline();
        // An entry that is early enough stays: the sweep moves it when it comes by.
        let queued = match old.map(|old| old.queued) {
            Some(queued) if queued <= deadline => queued,
            queued => {
                if let Some(queued) = queued {
                    self.dequeue(Queue::Sessions, queued, id.as_bytes())?;
                }
                self.enqueue(Queue::Sessions, deadline, id.as_bytes())?;
                deadline
            }
        };
        self.raise_latest_cap(record.security.hard_cap)?;
        let row = seal(id.as_bytes(), &[&time_bytes(queued), &record.encode()]);
        self.tables.records.insert(id.as_bytes(), &row[..])?;
        let stored = Stored {
            record,
            queued,
            bytes: row.len(),
        };
        self.effects.sessions.insert(id, Some(stored));
        Ok(())
    }

    /// Ends a session: its row, touch, index row and place in the queue go.
    pub(super) fn end(&mut self, old: &Stored) -> Result<(), Fault> {
        let id = old.record.id;
        self.mark_ending(id);
        self.effects.dirty = true;
        self.tables.records.remove(id.as_bytes())?;
        self.tables.touches.remove(id.as_bytes())?;
        self.dequeue(Queue::Sessions, old.queued, id.as_bytes())?;
        let security = &old.record.security;
        if let Some(subject) = &security.subject {
            let key = subject_key(subject, security.app.as_ref(), id);
            self.tables.subjects.remove(&key[..])?;
        }
        self.effects.sessions.insert(id, None);
        Ok(())
    }

    /// No touch of `id` is taken from now on; answers one that came before.
    pub(super) fn mark_ending(&mut self, id: SessionId) -> Option<Touch> {
        self.effects.marked.push(id);
        self.hot.ending(id)
    }

    fn index(&mut self, record: &Record, old: Option<&Record>) -> Result<(), Fault> {
        let key = |record: &Record| {
            let security = &record.security;
            let subject = security.subject.as_ref()?;
            Some(subject_key(subject, security.app.as_ref(), record.id))
        };
        let (new, old) = (key(record), old.and_then(key));
        if new == old {
            return Ok(());
        }
        if let Some(old) = old {
            self.tables.subjects.remove(&old[..])?;
        }
        if let Some(new) = new {
            self.tables.subjects.insert(&new[..], ())?;
        }
        Ok(())
    }

    pub(super) fn enqueue(
        &mut self,
        queue: Queue,
        deadline: Timestamp,
        key: &[u8],
    ) -> Result<(), Fault> {
        self.effects.dirty = true;
        self.tables
            .queue
            .insert(&queue_key(queue, deadline, key)[..], ())?;
        Ok(())
    }

    pub(super) fn dequeue(
        &mut self,
        queue: Queue,
        deadline: Timestamp,
        key: &[u8],
    ) -> Result<(), Fault> {
        self.effects.dirty = true;
        self.tables
            .queue
            .remove(&queue_key(queue, deadline, key)[..])?;
        Ok(())
    }

    pub(super) fn set_counter(&mut self, name: &str, value: u64) -> Result<(), Fault> {
        self.effects.dirty = true;
        let row = seal(name.as_bytes(), &[&value.to_be_bytes()]);
        self.tables.meta.insert(name, &row[..])?;
        Ok(())
    }

    /// Rounded up to days, so that it is written once a day and not with every session.
    fn raise_latest_cap(&mut self, cap: Timestamp) -> Result<(), Fault> {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        if cap <= self.counters.latest_cap {
            return Ok(());
        }
        let days = cap.as_millis().div_euclid(DAY).saturating_add(1);
        let rounded = Timestamp::from_millis(days.saturating_mul(DAY));
        self.counters.latest_cap = rounded;
        self.set_counter("latest cap", rounded.as_millis().cast_unsigned())
    }
}

/// Opens all tables, and makes those that are missing.
pub(super) fn open_tables(transaction: &WriteTransaction) -> Result<WriteTables<'_>, Fault> {
    Ok(Tables {
        records: transaction.open_table(RECORDS)?,
        touches: transaction.open_table(TOUCHES)?,
        subjects: transaction.open_table(SUBJECTS)?,
        queue: transaction.open_table(QUEUE)?,
        not_before: transaction.open_table(NOT_BEFORE)?,
        replay: transaction.open_table(REPLAY)?,
        registry: transaction.open_table(REGISTRY)?,
        meta: transaction.open_table(META)?,
    })
}

impl Effects {
    /// Shows readers what was kept.
    pub(super) fn publish(self, hot: &Hot, epoch: Epoch, snapshot: &impl View) {
        for (id, stored) in self.sessions {
            let Some(stored) = stored else {
                hot.publish(id, None);
                continue;
            };
            match not_before(snapshot, &stored.record.security) {
                Ok(not_before) => hot.publish(
                    id,
                    Some(Seen {
                        record: stored.record,
                        not_before,
                        stamp: epoch,
                        bytes: stored.bytes,
                    }),
                ),
                // The next reader finds out what is wrong.
                Err(_) => hot.vacate(id),
            }
        }
        for (id, touch) in self.touches {
            hot.written(id, touch);
        }
    }

    /// Nothing was kept: readers look into the file again.
    pub(super) fn roll_back(&self, hot: &Hot) {
        for id in &self.marked {
            hot.vacate(*id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_in_their_own_order() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
