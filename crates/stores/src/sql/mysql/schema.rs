//! The tables, how a database comes to have them, and what the server must be set to.

use cloakroom_core::store::{ErrorKind, StoreError};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};

use super::super::migration::{Found, Step, missing};
use super::super::verbs::registry::KINDS;
use super::super::verbs::revoke::EPOCH;
use super::super::verbs::sessions::LATEST_CAP;
use super::super::verbs::stored::{DATA_MAX, encode_counter};
use super::error::{of_mysql, unavailable};
use super::values::take;

/// The server commits each of these statements by itself, so each must bear to be done again after a step was cut off.
const STEPS: &[Step] = &[Step {
    version: 1,
    needs: 1,
    // Names are compared byte by byte, so they are VARBINARY. `due` is never later than the session's deadline.
    sql: "CREATE TABLE IF NOT EXISTS cloakroom_sessions (
            id BINARY(16) NOT NULL PRIMARY KEY,
            version BIGINT UNSIGNED NOT NULL,
            security BIGINT UNSIGNED NOT NULL,
            due BIGINT NOT NULL,
            subject VARBINARY(255),
            app VARBINARY(255),
            touch VARBINARY(64),
            record MEDIUMBLOB NOT NULL,
            KEY by_subject (subject),
            KEY by_app (app),
            KEY by_due (due)
        ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
        CREATE TABLE IF NOT EXISTS cloakroom_not_before (
            scope VARBINARY(600) NOT NULL PRIMARY KEY,
            epoch BIGINT UNSIGNED NOT NULL,
            value VARBINARY(64) NOT NULL,
            due BIGINT NOT NULL,
            purging VARBINARY(16),
            KEY by_due (due),
            KEY by_purging (purging)
        ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
        CREATE TABLE IF NOT EXISTS cloakroom_subjects (
            scope VARBINARY(600) NOT NULL PRIMARY KEY,
            due BIGINT NOT NULL,
            KEY by_due (due)
        ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
        CREATE TABLE IF NOT EXISTS cloakroom_counters (
            name VARBINARY(32) NOT NULL PRIMARY KEY,
            value VARBINARY(64) NOT NULL
        ) ENGINE = InnoDB;
        CREATE TABLE IF NOT EXISTS cloakroom_replay (
            name VARBINARY(64) NOT NULL PRIMARY KEY,
            due BIGINT NOT NULL,
            KEY by_due (due)
        ) ENGINE = InnoDB;
        CREATE TABLE IF NOT EXISTS cloakroom_registry (
            kind VARBINARY(32) NOT NULL,
            name VARBINARY(255) NOT NULL,
            value MEDIUMBLOB NOT NULL,
            due BIGINT,
            PRIMARY KEY (kind, name),
            KEY by_due (due)
        ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
}];

fn failed(error: mysql_async::Error) -> StoreError {
    of_mysql(error, "preparing the database")
}

/// Brings the database to the schema of this release, if it is behind. Nodes that do so together take turns.
pub(super) async fn migrate(conn: &mut Conn) -> Result<(), StoreError> {
    let found = found(conn).await?;
    if found.is_some() && missing(STEPS, found)?.is_empty() {
        return Ok(());
    }
    let lock = "SELECT GET_LOCK(CONCAT('cloakroom ', MD5(DATABASE())), 30)";
    let got: Option<Option<i64>> = conn.query_first(lock).await.map_err(failed)?;
    if got.flatten() != Some(1) {
        return Err(unavailable("another node prepares the database"));
    }
    let done = steps(conn).await;
    let unlock = "SELECT RELEASE_LOCK(CONCAT('cloakroom ', MD5(DATABASE())))";
    conn.query_drop(unlock).await.map_err(failed)?;
    done
}

async fn steps(conn: &mut Conn) -> Result<(), StoreError> {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS cloakroom_schema (
        one TINYINT NOT NULL PRIMARY KEY, version INT NOT NULL, needs INT NOT NULL) ENGINE = InnoDB";
    // Looked at again, now that nobody else changes it.
    let found = found(conn).await?;
    if found.is_none() {
        conn.query_drop(TABLE).await.map_err(failed)?;
    }
    for step in missing(STEPS, found)? {
        for statement in step.sql.split(';') {
            conn.query_drop(statement).await.map_err(failed)?;
        }
        counters(conn).await?;
        let needs = found.map_or(step.needs, |found| found.needs.max(step.needs));
        let sql = "REPLACE INTO cloakroom_schema (one, version, needs) VALUES (1, ?, ?)";
        let values = (step.version, needs);
        conn.exec_drop(sql, values).await.map_err(failed)?;
    }
    Ok(())
}

/// Every counter has its row from the start: one that is not there could not be locked.
async fn counters(conn: &mut Conn) -> Result<(), StoreError> {
    let names = KINDS.into_iter().map(|kind| kind.as_str());
    for name in names.chain([EPOCH, LATEST_CAP]) {
        let sql = "INSERT IGNORE INTO cloakroom_counters (name, value) VALUES (?, ?)";
        let values = (name.as_bytes(), encode_counter(name, 0));
        conn.exec_drop(sql, values).await.map_err(failed)?;
    }
    Ok(())
}

async fn found(conn: &mut Conn) -> Result<Option<Found>, StoreError> {
    let is_there = "SELECT COUNT(*) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = 'cloakroom_schema'";
    let count: Option<i64> = conn.query_first(is_there).await.map_err(failed)?;
    if count != Some(1) {
        return Ok(None);
    }
    let sql = "SELECT version, needs FROM cloakroom_schema WHERE one = 1";
    let found: Option<(i32, i32)> = conn.query_first(sql).await.map_err(failed)?;
    Ok(found.map(|(version, needs)| Found { version, needs }))
}

/// That the server keeps what it acknowledges, and takes the largest session.
pub(super) async fn check_server(conn: &mut Conn) -> Result<(), StoreError> {
    const SPARE: u64 = 1024 * 1024;
    let sql = "SELECT @@innodb_flush_log_at_trx_commit, @@max_allowed_packet";
    let row: Option<Row> = conn.query_first(sql).await.map_err(failed)?;
    let mut row = row.ok_or_else(|| unavailable("asking the server for its settings"))?;
    let (flush, packet): (i64, u64) = (take(&mut row, 0)?, take(&mut row, 1)?);
    if flush != 1 {
        tracing::warn!(
            innodb_flush_log_at_trx_commit = flush,
            "the database server may lose the last second of acknowledged writes in a crash; set it to 1"
        );
    }
    if packet < DATA_MAX as u64 + SPARE {
        return Err(StoreError::new(
            ErrorKind::Denied,
            "the database server's max_allowed_packet must be at least 9 MiB",
        ));
    }
    Ok(())
}
