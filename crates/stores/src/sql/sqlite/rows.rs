//! Rows in SQLite: [`Tx`] on a connection with a transaction open, in which nothing ever waits.

use cloakroom_core::store::{Kind, StoreError};
use cloakroom_core::{SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::super::verbs::seal::{seal, take_time, time_bytes, unseal};
use super::super::verbs::sessions::{LATEST_CAP, raise_to};
use super::super::verbs::stored::{Row, Written};
use super::super::verbs::touches::{Pending, Touch};
use super::super::verbs::tx::{Among, Expiring, Pair, PurgeRow, Tx};
use super::error::of_sqlite;

/// See the module.
pub(super) struct Rows<'c> {
    /// `mut`, because a shared one could not be handed to another thread.
    connection: &'c mut Connection,
    pending: &'c Pending,
    now: Timestamp,
}

type Ids = Result<Vec<SessionId>, StoreError>;

impl<'c> Rows<'c> {
    pub(super) fn new(
        connection: &'c mut Connection,
        pending: &'c Pending,
        now: Timestamp,
    ) -> Self {
        Self {
            connection,
            pending,
            now,
        }
    }

    fn run(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        let run = || self.connection.prepare_cached(sql)?.execute(values);
        run().map_err(|error| of_sqlite(error, "writing to the database"))
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let all = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect()
        };
        let all: rusqlite::Result<Vec<T>> = all();
        all.map_err(|error| of_sqlite(error, "reading the database"))
    }

    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let one = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(values, read).optional()
        };
        let one: rusqlite::Result<Option<T>> = one();
        one.map_err(|error| of_sqlite(error, "reading the database"))
    }

    /// That `id` is really absent (S-16): a session whose key was damaged still stands in its place in the index, so
    /// that it is the one before or behind the gap, and its key is not the one that its row was sealed with.
    pub(super) fn check_gap(&self, id: SessionId) -> Result<(), StoreError> {
        const WHAT: &str = "reading the rows around a session that is not there";
        const SIDES: [&str; 2] = [
            "SELECT id, record FROM sessions WHERE id < ?1 ORDER BY id DESC LIMIT 1",
            "SELECT id, record FROM sessions WHERE id > ?1 ORDER BY id LIMIT 1",
        ];
        for side in SIDES {
            let check = |row: &rusqlite::Row<'_>| {
                let key = row.get_ref(0)?.as_blob()?;
                Ok(unseal(key, row.get_ref(1)?.as_blob()?, WHAT).map(drop))
            };
            self.one(side, [id.as_bytes()], check)?.transpose()?;
        }
        Ok(())
    }
}

impl Rows<'_> {
    /// Remembers a replay key until `until`, unless it is remembered already; answers whether it was not.
    pub(super) fn first_seen(&mut self, key: &[u8], until: Timestamp) -> Result<bool, StoreError> {
        const WHAT: &str = "reading a replay key";
        let sql = "SELECT value FROM replay WHERE key = ?1";
        let seen: Option<Vec<u8>> = self.one(sql, [key], |row| row.get(0))?;
        if let Some(seen) = seen
            && self.now < take_time(&mut unseal(key, &seen, WHAT)?, WHAT)?
        {
            return Ok(false);
        }
        let sql = "INSERT OR REPLACE INTO replay (key, value, due) VALUES (?1, ?2, ?3)";
        let value = seal(key, &[&time_bytes(until)]);
        self.run(sql, params![key, value, until.as_millis()])?;
        Ok(true)
    }
}

fn read_id(row: &rusqlite::Row<'_>) -> rusqlite::Result<SessionId> {
    row.get(0).map(SessionId::from_bytes)
}

fn many(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The first id of all, or the one after which to go on.
fn behind(after: Option<SessionId>) -> Vec<u8> {
    after.map_or_else(Vec::new, |id| id.as_bytes().to_vec())
}

impl Tx for Rows<'_> {
    async fn now(&mut self) -> Result<Timestamp, StoreError> {
        Ok(self.now)
    }

    fn store_now(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    fn known_cap(&self) -> Timestamp {
        Timestamp::from_millis(i64::MIN)
    }

    async fn raise_cap(&mut self, cap: Timestamp) -> Result<(), StoreError> {
        let least = cap.as_millis().cast_unsigned();
        raise_to(self, LATEST_CAP, least).await.map(drop)
    }

    /// One writes at a time, so there are no turns to take.
    async fn lock_subject(&mut self, _key: &[u8], _until: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn rows(&mut self, ids: &[SessionId]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let sql = "SELECT subject, app, record, touch FROM sessions WHERE id = ?1";
            rows.extend(self.one(sql, [id.as_bytes()], |row| {
                Ok(Row {
                    id: *id,
                    subject: row.get(0)?,
                    app: row.get(1)?,
                    record: row.get(2)?,
                    touch: row.get(3)?,
                })
            })?);
        }
        Ok(rows)
    }

    async fn ids(&mut self, among: Among<'_>, after: Option<SessionId>, limit: usize) -> Ids {
        let (after, limit) = (behind(after), many(limit));
        match among {
            Among::Everything => self.all(
                "SELECT id FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2",
                params![after, limit],
                read_id,
            ),
            Among::App(app) => self.all(
                "SELECT id FROM sessions WHERE app = ?3 AND id > ?1 ORDER BY id LIMIT ?2",
                params![after, limit, app.as_str().as_bytes()],
                read_id,
            ),
            Among::Subject(subject) => self.all(
                "SELECT id FROM sessions WHERE subject = ?3 AND id > ?1 ORDER BY id LIMIT ?2",
                params![after, limit, subject.as_str().as_bytes()],
                read_id,
            ),
            Among::Exactly(subject, app) => self.all(
                // The plus keeps it to the index of subjects: an application has many more sessions.
                "SELECT id FROM sessions WHERE subject = ?3 AND +app IS ?4 AND id > ?1 ORDER BY id LIMIT ?2",
                params![
                    after,
                    limit,
                    subject.as_str().as_bytes(),
                    app.map(|app| app.as_str().as_bytes())
                ],
                read_id,
            ),
        }
    }

    async fn due(&mut self, now: Timestamp, limit: usize) -> Ids {
        let sql = "SELECT id FROM sessions WHERE due <= ?1 ORDER BY due LIMIT ?2";
        self.all(sql, params![now.as_millis(), many(limit)], read_id)
    }

    fn pending(&self, id: SessionId) -> Option<Touch> {
        self.pending.get(id)
    }

    async fn insert(&mut self, row: Written<'_>) -> Result<bool, StoreError> {
        let sql = "INSERT INTO sessions (id, security, due, subject, app, record, version)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let values = params![
            row.id.as_bytes(),
            row.security.cast_signed(),
            row.due,
            row.subject,
            row.app,
            row.record,
            row.version.cast_signed()
        ];
        Ok(self.run(sql, values)? == 1)
    }

    async fn replace(&mut self, row: Written<'_>) -> Result<(), StoreError> {
        // What is early enough stays, so that the index is not written; the sweep moves what it comes by.
        let sql = "UPDATE sessions SET security = ?2,
                       due = CASE WHEN due <= ?3 AND due > ?7 THEN due ELSE ?3 END,
                       subject = ?4, app = ?5, record = ?6, touch = NULL, version = ?8 WHERE id = ?1";
        let values = params![
            row.id.as_bytes(),
            row.security.cast_signed(),
            row.due,
            row.subject,
            row.app,
            row.record,
            self.now.as_millis(),
            row.version.cast_signed()
        ];
        self.run(sql, values).map(drop)
    }

    async fn pass_over(&mut self, id: SessionId) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET due = ?2 WHERE id = ?1";
        self.run(sql, params![id.as_bytes(), i64::MAX]).map(drop)
    }

    async fn remove(&mut self, ids: &[SessionId]) -> Result<(), StoreError> {
        for id in ids {
            self.run("DELETE FROM sessions WHERE id = ?1", [id.as_bytes()])?;
        }
        Ok(())
    }

    async fn not_befores(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Pair>, StoreError> {
        let mut found = Vec::new();
        for key in keys {
            let sql = "SELECT value FROM not_before WHERE scope = ?1";
            let value = self.one(sql, [key], |row| row.get(0))?;
            found.extend(value.map(|value| (key.clone(), value)));
        }
        Ok(found)
    }

    async fn put_not_before(
        &mut self,
        key: &[u8],
        value: Vec<u8>,
        due: Timestamp,
        purge: bool,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT OR REPLACE INTO not_before (scope, value, due, purge) VALUES (?1, ?2, ?3, ?4)";
        let purge = purge.then_some(&[] as &[u8]);
        self.run(sql, params![key, value, due.as_millis(), purge])
            .map(drop)
    }

    async fn due_not_befores(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        let sql = "SELECT scope, value FROM not_before WHERE due <= ?1 ORDER BY due LIMIT ?2";
        self.all(sql, params![now.as_millis(), many(limit)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    async fn remove_not_before(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.run("DELETE FROM not_before WHERE scope = ?1", [key])
            .map(drop)
    }

    async fn purge(&mut self) -> Result<Option<PurgeRow>, StoreError> {
        let sql = "SELECT scope, value, purge FROM not_before WHERE purge IS NOT NULL ORDER BY scope LIMIT 1";
        self.one(sql, [], |row| {
            Ok(PurgeRow {
                key: row.get(0)?,
                value: row.get(1)?,
                after: row.get(2)?,
            })
        })
    }

    async fn move_purge(&mut self, key: &[u8], after: Option<&[u8]>) -> Result<(), StoreError> {
        let sql = "UPDATE not_before SET purge = ?2 WHERE scope = ?1";
        self.run(sql, params![key, after]).map(drop)
    }

    async fn counter(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM counters WHERE name = ?1";
        self.one(sql, [name], |row| row.get(0))
    }

    async fn set_counter(&mut self, name: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO counters (name, value) VALUES (?1, ?2)";
        self.run(sql, params![name, value]).map(drop)
    }

    async fn entry(&mut self, kind: Kind, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM registry WHERE kind = ?1 AND name = ?2";
        self.one(sql, params![kind.as_str(), name.as_bytes()], |row| {
            row.get(0)
        })
    }

    async fn put_entry(
        &mut self,
        kind: Kind,
        name: &str,
        value: Option<Vec<u8>>,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (kind, name) = (kind.as_str(), name.as_bytes());
        let Some(value) = value else {
            let sql = "DELETE FROM registry WHERE kind = ?1 AND name = ?2";
            return self.run(sql, params![kind, name]).map(drop);
        };
        let sql =
            "INSERT OR REPLACE INTO registry (kind, name, value, due) VALUES (?1, ?2, ?3, ?4)";
        let due = due.map(Timestamp::as_millis);
        self.run(sql, params![kind, name, value, due]).map(drop)
    }

    async fn entries(
        &mut self,
        kind: Kind,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        let sql =
            "SELECT name, value FROM registry WHERE kind = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
        let values = params![kind.as_str(), after.as_bytes(), many(limit)];
        self.all(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    async fn clear(
        &mut self,
        what: Expiring,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let sql = match what {
            Expiring::Replays => {
                "DELETE FROM replay WHERE key IN (SELECT key FROM replay WHERE due <= ?1 LIMIT ?2)"
            }
            Expiring::Entries => {
                "DELETE FROM registry WHERE rowid IN (SELECT rowid FROM registry WHERE due <= ?1 LIMIT ?2)"
            }
            Expiring::Subjects => return Ok(0),
        };
        self.run(sql, params![now.as_millis(), many(limit)])
    }

    async fn write_touch(&mut self, id: SessionId, touch: Touch) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET touch = ?3 WHERE id = ?1 AND security = ?2";
        let values = params![id.as_bytes(), touch.security.cast_signed(), touch.seal(id)];
        self.run(sql, values).map(drop)
    }
}
