//! `sweep`: looks at what is due, ends what is over, and goes on with purges.

use cloakroom_core::store::{Scope, StoreError, Swept, SweptSession};
use cloakroom_core::{App, Record, SessionId, Subject, Timestamp};

use super::revoke::{among, pass_over};
use super::stored::{Written, decode_not_before};
use super::tx::{Expiring, PurgeRow, Tx};

/// Rows that one transaction looks at, so that a sweep never holds up requests for long.
pub(in crate::sql) const AT_ONCE: usize = 256;

/// See [`cloakroom_core::store::Store::sweep`]; `limit` is at most [`AT_ONCE`].
pub(in crate::sql) async fn sweep<T: Tx>(tx: &mut T, limit: usize) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let now = tx.now().await?;
    let due = sorted(tx.due(now, limit).await?);
    swept.more |= due.len() == limit;
    let mut over = Vec::new();
    let rows = if due.is_empty() {
        Vec::new()
    } else {
        tx.rows(&due).await?
    };
    for row in rows {
        match row.decode(tx.pending(row.id)) {
            Err(error) => {
                // It stays for whoever wants to look at it; no sweep comes by again.
                pass_over(row.id, &error);
                tx.pass_over(row.id).await?;
            }
            Ok(record) if now < record.deadline() => tx.replace(Written::of(&record)).await?,
            Ok(record) => over.push(record),
        }
    }
    let ids: Vec<_> = over.iter().map(|record| record.id).collect();
    if !ids.is_empty() {
        tx.remove(&ids).await?;
    }
    swept.removed = over.iter().map(|record| swept_session(record)).collect();
    Ok(swept)
}

/// What a sweep does besides, in a transaction of its own, because it takes locks in its own order: removes what is past
/// its time and what a revocation denies. Answers whether there is more of it.
pub(in crate::sql) async fn tidy<T: Tx>(tx: &mut T, limit: usize) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let mut more = tx.clear(Expiring::Subjects, now, limit).await? == limit;
    more |= purge(tx, limit).await?;
    more |= tx.clear(Expiring::Replays, now, limit).await? == limit;
    more |= tx.clear(Expiring::Entries, now, limit).await? == limit;
    more |= clear_not_befores(tx, now, limit).await?;
    Ok(more)
}

fn swept_session(record: &Record) -> SweptSession {
    SweptSession {
        id: record.id,
        subject: record.security.subject.clone(),
        deadline: record.deadline(),
    }
}

fn sorted(mut ids: Vec<SessionId>) -> Vec<SessionId> {
    ids.sort_unstable();
    ids
}

/// Removes sessions that a revocation denies, from where the last sweep stopped; answers whether there are more.
async fn purge<T: Tx>(tx: &mut T, limit: usize) -> Result<bool, StoreError> {
    let Some(PurgeRow { key, value, after }) = tx.purge().await? else {
        return Ok(false);
    };
    let (epoch, _) = decode_not_before(&key, &value)?;
    let Some(scope) = scope_of(&key) else {
        tx.move_purge(&key, None).await?;
        return Ok(true);
    };
    let after = after.try_into().ok().map(SessionId::from_bytes);
    let ids = tx.ids(among(&scope), after, limit).await?;
    let mut denied = Vec::new();
    let rows = if ids.is_empty() {
        Vec::new()
    } else {
        tx.rows(&ids).await?
    };
    for row in rows {
        match row.decode(None) {
            Ok(record) if scope.covers(&record) && record.security.admitted < epoch => {
                denied.push(row.id);
            }
            Ok(_) => {}
            Err(error) => pass_over(row.id, &error),
        }
    }
    if !denied.is_empty() {
        tx.remove(&denied).await?;
    }
    let next = ids.last().filter(|_| ids.len() == limit);
    tx.move_purge(&key, next.map(|id| &id.as_bytes()[..]))
        .await?;
    Ok(next.is_some())
}

/// The scope that a not-before's key stands for.
fn scope_of(key: &[u8]) -> Option<Scope> {
    let (tag, name) = key.split_first()?;
    let name = std::str::from_utf8(name).ok()?;
    Some(match tag {
        0 => Scope::Everything,
        1 => Scope::App(App::new(name).ok()?),
        2 => Scope::Subject {
            app: None,
            subject: Subject::new(name).ok()?,
        },
        _ => {
            let (subject, app) = name.split_once('\0')?;
            Scope::Subject {
                app: Some(App::new(app).ok()?),
                subject: Subject::new(subject).ok()?,
            }
        }
    })
}

/// A not-before goes only if its sealed value says so as well: without it, revoked sessions would open.
async fn clear_not_befores<T: Tx>(
    tx: &mut T,
    now: Timestamp,
    limit: usize,
) -> Result<bool, StoreError> {
    let due = tx.due_not_befores(now, limit).await?;
    let mut gone = 0;
    for (key, value) in &due {
        match decode_not_before(key, value) {
            Ok((_, until)) if until <= now => {
                tx.remove_not_before(key).await?;
                gone += 1;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "passed over a not-before that cannot be read");
            }
        }
    }
    Ok(gone > 0 && due.len() == limit)
}

#[cfg(test)]
mod tests {
    use super::super::keys::scope_key;
    use super::*;

    #[test]
    fn a_key_names_its_scope() {
        let subject = Subject::new("ann").unwrap();
        let app = App::new("shop").unwrap();
        let scopes = [
            Scope::Everything,
            Scope::App(app.clone()),
            Scope::Subject {
                app: None,
                subject: subject.clone(),
            },
            Scope::Subject {
                app: Some(app),
                subject,
            },
        ];
        for scope in scopes {
            assert_eq!(scope_of(&scope_key(&scope)), Some(scope));
        }
    }
}
