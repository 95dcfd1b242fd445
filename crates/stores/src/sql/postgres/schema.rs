//! Makes the tables, and brings them to this release's version.

use std::time::Duration;

use cloakroom_core::store::{ErrorKind, StoreError};
use tokio_postgres::Client;

use super::error::{of_client, unavailable};
use super::link::open;
use super::options::Options;
use super::statements::{expand, lock};
use super::values::column;
use crate::sql::migration::{Found, Step, missing};

/// Steps only ever add, so that older nodes go on beside a newer one; what they no longer need goes a release later.
const STEPS: &[Step] = &[Step {
    version: 1,
    needs: 1,
    sql: include_str!("schema/1.sql"),
}];

/// Others may be at it; the tables of a new version may be large.
const PATIENCE: Duration = Duration::from_secs(60);

/// Brings the schema up to date. Where it is, nothing is written and no lock is taken.
pub(super) async fn migrate(options: &Options) -> Result<(), StoreError> {
    let late = |_| unavailable("the database did not accept a connection in time");
    let (mut client, carrier) =
        tokio::time::timeout(options.connect_timeout(), open(options, None))
            .await
            .map_err(late)??;
    let work = async {
        let schema = &options.schema;
        check_encoding(&client).await?;
        if !missing(STEPS, found(&client, schema).await?)?.is_empty() {
            apply(&mut client, schema).await?;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        done = tokio::time::timeout(PATIENCE, work) => {
            done.map_err(|_| unavailable("the database's schema was not brought up to date in time"))?
        }
        () = carrier => Err(unavailable("the database closed the connection")),
    }
}

/// Names are compared by their bytes and may be of any script.
async fn check_encoding(client: &Client) -> Result<(), StoreError> {
    let asked = client
        .query_one_scalar::<String, _>("SHOW server_encoding", &[])
        .await;
    let encoding =
        asked.map_err(|error| of_client(error, "reading the database's encoding").error)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    let what = "the database's encoding must be UTF8";
    Err(StoreError::new(ErrorKind::Denied, what).because(format!("it is {encoding}")))
}

async fn found(client: &Client, schema: &str) -> Result<Option<Found>, StoreError> {
    let failed = |error| of_client(error, "reading the version of the schema").error;
    let table = format!("\"{schema}\".schema_version");
    let there = client
        .query_one_scalar::<bool, _>("SELECT to_regclass($1) IS NOT NULL", &[&table])
        .await
        .map_err(failed)?;
    if !there {
        return Ok(None);
    }
    let newest = format!("SELECT version, needs FROM {table} ORDER BY version DESC LIMIT 1");
    let row = client.query_opt(&newest, &[]).await.map_err(failed)?;
    let Some(row) = row else {
        return Ok(None);
    };
    const WHAT: &str = "reading the version of the schema";
    Ok(Some(Found {
        version: column(&row, 0, WHAT)?,
        needs: column(&row, 1, WHAT)?,
    }))
}

async fn apply(client: &mut Client, schema: &str) -> Result<(), StoreError> {
    let failed = |error| of_client(error, "bringing the schema up to date").error;
    let transaction = client.transaction().await.map_err(failed)?;
    // One node at a time; the others then find that it is done.
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&lock(schema)])
        .await
        .map_err(failed)?;
    let there = transaction
        .query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema])
        .await
        .map_err(failed)?;
    let there: bool = column(&there, 0, "bringing the schema up to date")?;
    // Where an operator made it, we need not be allowed to.
    let make = if there {
        String::new()
    } else {
        format!("CREATE SCHEMA \"{schema}\";")
    };
    let table = format!(
        "{make} CREATE TABLE IF NOT EXISTS \"{schema}\".schema_version (\
            version integer PRIMARY KEY, needs integer NOT NULL, at timestamptz NOT NULL DEFAULT now())"
    );
    transaction.batch_execute(&table).await.map_err(failed)?;
    let found = found(transaction.client(), schema).await?;
    for step in missing(STEPS, found)? {
        let sql = expand(step.sql, &format!("\"{schema}\""));
        transaction.batch_execute(&sql).await.map_err(failed)?;
        let note =
            format!("INSERT INTO \"{schema}\".schema_version (version, needs) VALUES ($1, $2)");
        transaction
            .execute(&note, &[&step.version, &step.needs])
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
