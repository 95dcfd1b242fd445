//! Rows in MySQL and MariaDB: [`Tx`] on a connection with a transaction begun.

use cloakroom_core::store::{Kind, StoreError};
use cloakroom_core::{SessionId, Timestamp};
use mysql_async::Value;
use mysql_async::prelude::Queryable as _;

use super::super::verbs::sessions::{LATEST_CAP, raise_to};
use super::super::verbs::stored::{Row, Written, decode_not_before};
use super::super::verbs::touches::Touch;
use super::super::verbs::tx::{Among, Expiring, Pair, PurgeRow, Tx};
use super::error::is_duplicate;
use super::transaction::{Ids, READING, Rows, WRITING};
use super::values::{
    behind, bytes, columns, condition, limit, list, maybe, now, params, take, take_row,
};
use crate::seal::damaged;

impl Tx for Rows {
    /// Asked for when all locks are taken: a statement that waits for one has the time from before.
    async fn now(&mut self) -> Result<Timestamp, StoreError> {
        let offset = self.shared.options.offset();
        let rows = self
            .all(concat!("SELECT ", now!()), vec![offset.into()])
            .await?;
        let mut row = rows.into_iter().next().ok_or_else(|| damaged(READING))?;
        Ok(Timestamp::from_millis(take(&mut row, 0)?))
    }

    fn store_now(&self, now: Timestamp) -> Option<Timestamp> {
        Some(now)
    }

    fn known_cap(&self) -> Timestamp {
        self.cap
    }

    async fn raise_cap(&mut self, cap: Timestamp) -> Result<(), StoreError> {
        let least = cap.as_millis().cast_unsigned();
        let reached = raise_to(self, LATEST_CAP, least).await?;
        self.cap = Timestamp::from_millis(reached.cast_signed());
        Ok(())
    }

    async fn lock_subject(&mut self, key: &[u8], until: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO cloakroom_subjects (scope, due) VALUES (?, ?)
                   ON DUPLICATE KEY UPDATE due = GREATEST(due, VALUES(due))";
        let values = vec![bytes(key), until.as_millis().into()];
        self.run(sql, values).await.map(drop)
    }

    async fn rows(&mut self, ids: &[SessionId]) -> Result<Vec<Row>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (places, values) = list(ids.iter().map(|id| bytes(id.as_bytes())));
        let sql = format!(
            "SELECT id, subject, app, record, touch FROM cloakroom_sessions FORCE INDEX (PRIMARY)
             WHERE id IN {places} ORDER BY id FOR UPDATE"
        );
        let rows = self.all(&sql, values).await?;
        rows.into_iter().map(|mut row| take_row(&mut row)).collect()
    }

    async fn ids(&mut self, among: Among<'_>, after: Option<SessionId>, most: usize) -> Ids {
        let (condition, more) = condition(among);
        let sql = format!(
            "SELECT id FROM cloakroom_sessions WHERE id > ?{condition} ORDER BY id LIMIT ?"
        );
        let mut values = vec![behind(after)];
        values.extend(more);
        values.push(limit(most));
        self.id_list(&sql, values).await
    }

    async fn due(&mut self, now: Timestamp, most: usize) -> Ids {
        let sql = "SELECT id FROM cloakroom_sessions WHERE due <= ? ORDER BY due LIMIT ?";
        self.id_list(sql, vec![now.as_millis().into(), limit(most)])
            .await
    }

    fn pending(&self, id: SessionId) -> Option<Touch> {
        self.shared.pending.get(id)
    }

    async fn insert(&mut self, row: Written<'_>) -> Result<bool, StoreError> {
        let sql =
            "INSERT INTO cloakroom_sessions (id, version, security, due, subject, app, record)
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        let inserted = self.conn().exec_drop(sql, params(columns(&row))).await;
        match inserted {
            Ok(()) => Ok(true),
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(self.failed(error, WRITING)),
        }
    }

    async fn replace(&mut self, row: Written<'_>) -> Result<(), StoreError> {
        // What is early enough stays, so that the index is not written; the sweep moves what it comes by.
        let sql = concat!(
            "UPDATE cloakroom_sessions SET version = ?, security = ?,
                 due = IF(due <= ? AND due > ",
            now!(),
            ", due, ?),
                 subject = ?, app = ?, record = ?, touch = NULL WHERE id = ?"
        );
        let offset = self.shared.options.offset();
        let values = vec![
            row.version.into(),
            row.security.into(),
            row.due.into(),
            offset.into(),
            row.due.into(),
            maybe(row.subject),
            maybe(row.app),
            Value::Bytes(row.record),
            bytes(row.id.as_bytes()),
        ];
        self.run(sql, values).await.map(drop)
    }

    async fn pass_over(&mut self, id: SessionId) -> Result<(), StoreError> {
        let sql = "UPDATE cloakroom_sessions SET due = ? WHERE id = ?";
        self.run(sql, vec![i64::MAX.into(), bytes(id.as_bytes())])
            .await
            .map(drop)
    }

    async fn remove(&mut self, ids: &[SessionId]) -> Result<(), StoreError> {
        // One by one: for a list the server may choose to scan a small table, and lock all of it.
        for id in ids {
            let sql = "DELETE FROM cloakroom_sessions WHERE id = ?";
            self.run(sql, vec![bytes(id.as_bytes())]).await?;
        }
        Ok(())
    }

    async fn not_befores(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Pair>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (places, values) = list(keys.iter().map(|key| bytes(key)));
        let sql = format!("SELECT scope, value FROM cloakroom_not_before WHERE scope IN {places}");
        self.pairs(&sql, values).await
    }

    async fn put_not_before(
        &mut self,
        key: &[u8],
        value: Vec<u8>,
        due: Timestamp,
        purge: bool,
    ) -> Result<(), StoreError> {
        let (epoch, _) = decode_not_before(key, &value)?;
        let sql = "INSERT INTO cloakroom_not_before (scope, epoch, value, due, purging) VALUES (?, ?, ?, ?, ?)
                   ON DUPLICATE KEY UPDATE epoch = VALUES(epoch), value = VALUES(value), due = VALUES(due),
                   purging = VALUES(purging)";
        let values = vec![
            bytes(key),
            epoch.0.into(),
            Value::Bytes(value),
            due.as_millis().into(),
            maybe(purge.then_some(&[])),
        ];
        self.run(sql, values).await.map(drop)
    }

    async fn due_not_befores(
        &mut self,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        let sql =
            "SELECT scope, value FROM cloakroom_not_before WHERE due <= ? ORDER BY due LIMIT ?";
        self.pairs(sql, vec![now.as_millis().into(), limit(most)])
            .await
    }

    async fn remove_not_before(&mut self, key: &[u8]) -> Result<(), StoreError> {
        // Its time may have moved since it was read.
        let sql = concat!(
            "DELETE FROM cloakroom_not_before WHERE scope = ? AND due <= ",
            now!()
        );
        let offset = self.shared.options.offset();
        self.run(sql, vec![bytes(key), offset.into()])
            .await
            .map(drop)
    }

    async fn purge(&mut self) -> Result<Option<PurgeRow>, StoreError> {
        let sql = "SELECT scope, value, purging FROM cloakroom_not_before WHERE purging IS NOT NULL ORDER BY scope LIMIT 1";
        let rows = self.all(sql, Vec::new()).await?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(PurgeRow {
            key: take(&mut row, 0)?,
            value: take(&mut row, 1)?,
            after: take(&mut row, 2)?,
        }))
    }

    async fn move_purge(&mut self, key: &[u8], after: Option<&[u8]>) -> Result<(), StoreError> {
        let sql = "UPDATE cloakroom_not_before SET purging = ? WHERE scope = ?";
        self.run(sql, vec![maybe(after), bytes(key)])
            .await
            .map(drop)
    }

    async fn counter(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM cloakroom_counters WHERE name = ? FOR UPDATE";
        let rows = self.all(sql, vec![bytes(name.as_bytes())]).await?;
        // Its row is there from the start; without one nothing would be locked.
        let mut row = rows
            .into_iter()
            .next()
            .ok_or_else(|| damaged("reading a counter"))?;
        take(&mut row, 0).map(Some)
    }

    async fn set_counter(&mut self, name: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let sql = "UPDATE cloakroom_counters SET value = ? WHERE name = ?";
        self.run(sql, vec![Value::Bytes(value), bytes(name.as_bytes())])
            .await
            .map(drop)
    }

    async fn entry(&mut self, kind: Kind, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM cloakroom_registry WHERE kind = ? AND name = ?";
        let values = vec![bytes(kind.as_str().as_bytes()), bytes(name.as_bytes())];
        let rows = self.all(sql, values).await?;
        let row = rows.into_iter().next();
        row.map(|mut row| take(&mut row, 0)).transpose()
    }

    async fn put_entry(
        &mut self,
        kind: Kind,
        name: &str,
        value: Option<Vec<u8>>,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut values = vec![bytes(kind.as_str().as_bytes()), bytes(name.as_bytes())];
        let Some(value) = value else {
            let sql = "DELETE FROM cloakroom_registry WHERE kind = ? AND name = ?";
            return self.run(sql, values).await.map(drop);
        };
        let sql = "INSERT INTO cloakroom_registry (kind, name, value, due) VALUES (?, ?, ?, ?)
                   ON DUPLICATE KEY UPDATE value = VALUES(value), due = VALUES(due)";
        values.push(Value::Bytes(value));
        values.push(due.map(Timestamp::as_millis).into());
        self.run(sql, values).await.map(drop)
    }

    async fn entries(
        &mut self,
        kind: Kind,
        after: &str,
        most: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        let sql = "SELECT name, value FROM cloakroom_registry WHERE kind = ? AND name > ? ORDER BY name LIMIT ?";
        let values = vec![
            bytes(kind.as_str().as_bytes()),
            bytes(after.as_bytes()),
            limit(most),
        ];
        self.pairs(sql, values).await
    }

    async fn clear(
        &mut self,
        what: Expiring,
        now: Timestamp,
        most: usize,
    ) -> Result<usize, StoreError> {
        // Found without a lock and removed by key, since other statements lock the key before its place among the due.
        let (due, remove) = match what {
            Expiring::Replays => (
                "SELECT name FROM cloakroom_replay WHERE due <= ? ORDER BY due LIMIT ?",
                "DELETE FROM cloakroom_replay WHERE name = ? AND due <= ?",
            ),
            Expiring::Subjects => (
                "SELECT scope FROM cloakroom_subjects WHERE due <= ? ORDER BY due LIMIT ?",
                "DELETE FROM cloakroom_subjects WHERE scope = ? AND due <= ?",
            ),
            Expiring::Entries => (
                "SELECT kind, name FROM cloakroom_registry WHERE due <= ? ORDER BY due LIMIT ?",
                "DELETE FROM cloakroom_registry WHERE kind = ? AND name = ? AND due <= ?",
            ),
        };
        let rows = self
            .all(due, vec![now.as_millis().into(), limit(most)])
            .await?;
        let mut keys: Vec<Vec<Vec<u8>>> = Vec::with_capacity(rows.len());
        for mut row in rows {
            keys.push(
                (0..row.len())
                    .map(|i| take(&mut row, i))
                    .collect::<Result<_, _>>()?,
            );
        }
        keys.sort_unstable();
        for key in &keys {
            let mut values: Vec<Value> = key.iter().map(|part| bytes(part)).collect();
            values.push(now.as_millis().into());
            self.run(remove, values).await?;
        }
        Ok(keys.len())
    }

    async fn write_touch(&mut self, id: SessionId, touch: Touch) -> Result<(), StoreError> {
        let sql = "UPDATE cloakroom_sessions SET touch = ? WHERE id = ? AND security = ?";
        let values = vec![
            Value::Bytes(touch.seal(id)),
            bytes(id.as_bytes()),
            touch.security.into(),
        ];
        self.run(sql, values).await.map(drop)
    }
}
