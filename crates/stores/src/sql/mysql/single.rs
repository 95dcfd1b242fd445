//! What is done in a single statement, which the server commits by itself: the paths that are taken most.

use std::sync::Arc;

use cloakroom_core::store::{Loaded, StoreError};
use cloakroom_core::{Record, SessionId, Timestamp};

use super::super::verbs::keys::{covering, keys_of};
use super::super::verbs::stored::{Row, Written, latest};
use super::super::verbs::tx::{Among, Pair};
use super::link::{Again, Shared};
use super::recent::Base;
use super::values::{behind, bytes, columns, condition, limit, list, maybe, now, take, take_row};

/// Bytes of the checksum that a sealed value begins with.
const SEAL: usize = 4;

/// A session as one statement finds it, with all that is needed to judge it.
pub(super) struct Found {
    row: Row,
    not_befores: [Option<Vec<u8>>; 4],
    pub(super) now: Timestamp,
}

/// What is selected: five columns of the row, the time, and the not-befores that cover it, each found by its key.
macro_rules! select {
    () => {
        concat!(
            "SELECT s.id, s.subject, s.app, s.record, s.touch, ", now!(), ", n0.value, n1.value, n2.value, n3.value
             FROM cloakroom_sessions s
             LEFT JOIN cloakroom_not_before n0 ON n0.scope = x'00'
             LEFT JOIN cloakroom_not_before n1 ON n1.scope = CONCAT(x'01', s.app)
             LEFT JOIN cloakroom_not_before n2 ON n2.scope = CONCAT(x'02', s.subject)
             LEFT JOIN cloakroom_not_before n3 ON n3.scope = CONCAT(x'03', s.subject, x'00', s.app) "
        )
    };
}

fn found(mut row: mysql_async::Row) -> Result<Found, StoreError> {
    Ok(Found {
        row: take_row(&mut row)?,
        now: Timestamp::from_millis(take(&mut row, 5)?),
        not_befores: [
            take(&mut row, 6)?,
            take(&mut row, 7)?,
            take(&mut row, 8)?,
            take(&mut row, 9)?,
        ],
    })
}

impl Found {
    pub(super) fn id(&self) -> SessionId {
        self.row.id
    }

    /// The record, with touches that wait in `shared`, and what may deny it.
    pub(super) fn decode(&self, shared: &Shared) -> Result<(Arc<Record>, Vec<Pair>), StoreError> {
        let record = self.row.decode(shared.pending.get(self.row.id))?;
        let security = &record.security;
        let keys = covering(security.subject.as_ref(), security.app.as_ref());
        let denials = keys.into_iter().zip(&self.not_befores);
        let denials = denials.filter_map(|(key, value)| key.zip(value.clone()));
        Ok((Arc::clone(&record), denials.collect()))
    }

    pub(super) fn loaded(&self, shared: &Shared) -> Result<Loaded, StoreError> {
        let (record, denials) = self.decode(shared)?;
        Ok(Loaded {
            not_before: latest(&denials, &keys_of(&record.security))?,
            record,
            store_now: Some(self.now),
        })
    }
}

impl Shared {
    /// The session `id`; the next update may be computed from it.
    pub(super) async fn find(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        const SQL: &str = concat!(select!(), "WHERE s.id = ?");
        let offset = self.options.offset();
        let values = vec![offset.into(), bytes(id.as_bytes())];
        let done = self
            .statement(Again::Allowed, SQL, values, "reading a session")
            .await?;
        let Some(row) = done.rows.into_iter().next() else {
            return Ok(None);
        };
        let found = found(row)?;
        let loaded = found.loaded(self)?;
        self.recent.put(Base {
            record: Arc::clone(&loaded.record),
            seal: found.row.record.get(..SEAL).unwrap_or_default().to_vec(),
            touch: found.row.touch,
        });
        Ok(Some(loaded))
    }

    /// At most `most` sessions behind `after`, ascending.
    pub(super) async fn page(
        &self,
        among: Among<'_>,
        after: Option<SessionId>,
        most: usize,
    ) -> Result<Vec<Found>, StoreError> {
        let (condition, more) = condition(among);
        let sql = format!(
            "{}WHERE s.id > ?{condition} ORDER BY s.id LIMIT ?",
            select!()
        );
        let mut values = vec![self.options.offset().into(), behind(after)];
        values.extend(more);
        values.push(limit(most));
        let done = self
            .statement(Again::Allowed, &sql, values, "listing sessions")
            .await?;
        done.rows.into_iter().map(found).collect()
    }

    /// Writes `record` in the place of `base`; answers whether it was still there, live and not revoked.
    pub(super) async fn exchange(&self, base: &Base, record: &Record) -> Result<bool, StoreError> {
        let (places, keys) = list(keys_of(&record.security).iter().map(|key| bytes(key)));
        let sql = format!(
            "UPDATE cloakroom_sessions SET version = ?, record = ?, touch = NULL, due = IF(due <= ? AND due > {now}, due, ?)
             WHERE id = ? AND version = ? AND LEFT(record, {SEAL}) = ? AND touch <=> ? AND ? > {now}
             AND NOT EXISTS (SELECT 1 FROM cloakroom_not_before WHERE scope IN {places} AND epoch > ?)",
            now = now!(),
        );
        let written = Written::of(record);
        let offset = self.options.offset();
        let mut values = vec![
            written.version.into(),
            bytes(&written.record),
            written.due.into(),
            offset.into(),
            written.due.into(),
            bytes(record.id.as_bytes()),
            base.record.version.into(),
            bytes(&base.seal),
            maybe(base.touch.as_deref()),
            base.record.deadline().as_millis().into(),
            offset.into(),
        ];
        values.extend(keys);
        values.push(record.security.admitted.0.into());
        let done = self
            .statement(Again::No, &sql, values, "updating a session")
            .await?;
        if done.changed == 1 {
            self.recent.put(Base {
                record: Arc::new(record.clone()),
                seal: written.record.get(..SEAL).unwrap_or_default().to_vec(),
                touch: None,
            });
        }
        Ok(done.changed == 1)
    }

    /// Keeps a new record that is not limited by any other; `None` where its id is taken, `false` where it is revoked.
    pub(super) async fn insert(&self, record: &Record) -> Result<Option<bool>, StoreError> {
        let (places, keys) = list(keys_of(&record.security).iter().map(|key| bytes(key)));
        let sql = format!(
            "INSERT INTO cloakroom_sessions (id, version, security, due, subject, app, record)
             SELECT ?, ?, ?, ?, ?, ?, ? FROM DUAL
             WHERE NOT EXISTS (SELECT 1 FROM cloakroom_not_before WHERE scope IN {places} AND epoch > ?)"
        );
        let mut values = columns(&Written::of(record));
        values.extend(keys);
        values.push(record.security.admitted.0.into());
        let done = self
            .statement(Again::No, &sql, values, "keeping a session")
            .await?;
        Ok((!done.duplicate).then_some(done.changed == 1))
    }

    /// Remembers a replay key until `until`, unless it is remembered already; answers whether it was not.
    pub(super) async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = concat!(
            "INSERT INTO cloakroom_replay (name, due) VALUES (?, ?)
             ON DUPLICATE KEY UPDATE due = IF(due <= ",
            now!(),
            ", VALUES(due), due)"
        );
        let offset = self.options.offset();
        let values = vec![bytes(key), until.as_millis().into(), offset.into()];
        let done = self
            .statement(Again::No, SQL, values, "remembering a replay key")
            .await?;
        Ok(done.changed > 0)
    }

    /// The sealed value of a counter.
    pub(super) async fn counter(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM cloakroom_counters WHERE name = ?";
        let values = vec![bytes(name.as_bytes())];
        let done = self
            .statement(Again::Allowed, sql, values, "reading a counter")
            .await?;
        let row = done.rows.into_iter().next();
        row.map(|mut row| take(&mut row, 0)).transpose()
    }

    /// The sealed value of a registry entry, and the time.
    pub(super) async fn entry(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<(Vec<u8>, Timestamp)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT value, ",
            now!(),
            " FROM cloakroom_registry WHERE kind = ? AND name = ?"
        );
        let offset = self.options.offset();
        let values = vec![
            offset.into(),
            bytes(kind.as_bytes()),
            bytes(name.as_bytes()),
        ];
        let done = self
            .statement(Again::Allowed, SQL, values, "reading a registry entry")
            .await?;
        let Some(mut row) = done.rows.into_iter().next() else {
            return Ok(None);
        };
        let value = take(&mut row, 0)?;
        Ok(Some((value, Timestamp::from_millis(take(&mut row, 1)?))))
    }
}
