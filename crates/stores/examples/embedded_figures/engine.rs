//! The engine alone: the rows that a session takes, as plain redb.

use std::time::Instant;

use bytes::Bytes;
use cloakroom_core::{Record, SessionId};
use redb::{Database, ReadableDatabase as _, TableDefinition};
use tempfile::TempDir;

use crate::samples::record;

const RECORDS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("records");
const SUBJECTS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("subjects");
const QUEUE: TableDefinition<'_, &[u8], ()> = TableDefinition::new("queue");

/// See the module.
pub(crate) struct Engine {
    database: Database,
    _folder: TempDir,
    number: usize,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new_in(".").unwrap();
        let mut builder = Database::builder();
        builder.set_cache_size(256 << 20);
        let database = builder.create(folder.path().join("bare")).unwrap();
        Self {
            database,
            _folder: folder,
            number: 0,
        }
    }

    /// Durable commits of `sessions` each, with the same rows and the same way to commit as the store, until `end`.
    pub(crate) fn create(&mut self, sessions: usize, end: Instant) -> usize {
        let before = self.number;
        while Instant::now() < end {
            let records: Vec<_> = (self.number..self.number + sessions).map(record).collect();
            self.write(&records);
            self.number += sessions;
        }
        self.number - before
    }

    pub(crate) fn write(&self, records: &[Record]) {
        let mut transaction = self.database.begin_write().unwrap();
        transaction.set_quick_repair(true);
        {
            let mut rows = transaction.open_table(RECORDS).unwrap();
            let mut subjects = transaction.open_table(SUBJECTS).unwrap();
            let mut queue = transaction.open_table(QUEUE).unwrap();
            for record in records {
                let id = record.id.as_bytes();
                rows.insert(id, &record.encode()[..]).unwrap();
                let subject = record.security.subject.as_ref().unwrap().as_str();
                let key = [subject.as_bytes(), &[0, 1], id].concat();
                subjects.insert(&key[..], ()).unwrap();
                let due = record.deadline().as_millis().to_be_bytes();
                queue
                    .insert(&[&[1], &due[..], id].concat()[..], ())
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    /// One row a commit, without quick repair: the least that a durable write can cost.
    pub(crate) fn create_row(&self, end: Instant) -> usize {
        let mut commits = 0;
        while Instant::now() < end {
            let transaction = self.database.begin_write().unwrap();
            transaction
                .open_table(RECORDS)
                .unwrap()
                .insert(&rand::random::<[u8; 16]>(), &[7; 450][..])
                .unwrap();
            transaction.commit().unwrap();
            commits += 1;
        }
        commits
    }

    /// Reads sessions and decodes them, until `end`.
    pub(crate) fn get(&self, ids: &[SessionId], end: Instant) -> usize {
        let transaction = self.database.begin_read().unwrap();
        let rows = transaction.open_table(RECORDS).unwrap();
        let mut count = 0;
        while Instant::now() < end {
            for _ in 0..256 {
                let id = ids[count * 7919 % ids.len()];
                let row = rows.get(id.as_bytes()).unwrap().unwrap();
                let record = Record::decode(id, &Bytes::copy_from_slice(row.value()));
                std::hint::black_box(record.unwrap());
                count += 1;
            }
        }
        count
    }
}
