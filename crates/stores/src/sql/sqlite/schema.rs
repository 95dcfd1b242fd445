//! The tables, and how a file comes to have them.

use cloakroom_core::store::{ErrorKind, StoreError};
use rusqlite::Connection;

use super::super::migration::{Found, Step, missing};
use super::error::of_sqlite;

/// "Clkr": in the header of the file, so that no other program's database is taken for ours.
const APPLICATION: i32 = 0x436c_6b72;

/// Steps only add where they can, so that a process of the release before goes on serving beside them.
const STEPS: &[Step] = &[Step {
    version: 1,
    needs: 1,
    // `due` is never later than the session's deadline: where a touch moved that, the sweep moves `due` when it comes by.
    sql: "CREATE TABLE sessions (
        id BLOB NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL,
        security INTEGER NOT NULL,
        due INTEGER NOT NULL,
        subject BLOB,
        app BLOB,
        touch BLOB,
        record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX sessions_by_subject ON sessions (subject, id) WHERE subject IS NOT NULL;
    CREATE INDEX sessions_by_app ON sessions (app, id) WHERE app IS NOT NULL;
    CREATE INDEX sessions_by_due ON sessions (due);
    CREATE TABLE not_before (
        scope BLOB NOT NULL PRIMARY KEY,
        value BLOB NOT NULL,
        due INTEGER NOT NULL,
        purge BLOB
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX not_before_by_due ON not_before (due);
    CREATE INDEX not_before_by_purge ON not_before (scope) WHERE purge IS NOT NULL;
    CREATE TABLE counters (
        name TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE replay (
        key BLOB NOT NULL PRIMARY KEY,
        value BLOB NOT NULL,
        due INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX replay_by_due ON replay (due);
    CREATE TABLE registry (
        kind TEXT NOT NULL,
        name BLOB NOT NULL,
        value BLOB NOT NULL,
        due INTEGER,
        PRIMARY KEY (kind, name)
    ) STRICT;
    CREATE INDEX registry_by_due ON registry (due) WHERE due IS NOT NULL;",
}];

/// Brings the file to the schema of this release, if it is behind. Processes that do so together take turns.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let found = found(connection).map_err(failed)?;
    if found.is_some() && missing(STEPS, found)?.is_empty() {
        return Ok(());
    }
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(failed)?;
    let done = steps(connection);
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end).map_err(failed)?;
    done
}

fn steps(connection: &Connection) -> Result<(), StoreError> {
    // Looked at again, now that nobody else writes.
    let found = found(connection).map_err(failed)?;
    if found.is_none() && !is_empty(connection).map_err(failed)? {
        return Err(StoreError::new(
            ErrorKind::Denied,
            "the database file belongs to another program",
        ));
    }
    for step in missing(STEPS, found)? {
        let needs = found.map_or(step.needs, |found| found.needs.max(step.needs));
        connection
            .execute_batch(step.sql)
            .and_then(|()| connection.pragma_update(None, "application_id", APPLICATION))
            .and_then(|()| {
                let both = needs << NEEDS | step.version;
                connection.pragma_update(None, "user_version", both)
            })
            .map_err(failed)?;
    }
    Ok(())
}

/// Where in SQLite's one number the oldest version stands that may use the file.
const NEEDS: u32 = 16;

/// The version of the schema, if the file is ours.
fn found(connection: &Connection) -> rusqlite::Result<Option<Found>> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION {
        return Ok(None);
    }
    let both: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(Some(Found {
        version: both & ((1 << NEEDS) - 1),
        needs: both >> NEEDS,
    }))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

fn failed(error: rusqlite::Error) -> StoreError {
    of_sqlite(error, "preparing the database file")
}
