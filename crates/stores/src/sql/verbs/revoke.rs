//! `revoke_all`: the not-before decides at once, the rows go with it or after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Scope, StoreError};
use cloakroom_core::{Change, Record, SessionId, Timestamp};

use super::keys::{keys_of, scope_key};
use super::seal::{seal, time_bytes};
use super::sessions::LATEST_CAP;
use super::stored::{Written, decode_counter, decode_not_before, encode_counter, latest};
use super::tx::{Among, Pair, Tx};

/// Sessions that are ended in the same transaction; more are denied at once and removed little by little.
const AT_ONCE: usize = 128;
/// A login whose proof was under way at the revocation is over by then.
const LOGIN: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
/// The counter of the revocation clock.
pub(in crate::sql) const EPOCH: &str = "epoch";

/// What a revocation did in its transaction.
pub(in crate::sql) struct Step {
    pub(in crate::sql) epoch: Epoch,
    pub(in crate::sql) now: Timestamp,
    pub(in crate::sql) ended: Ended,
}

/// Which sessions a revocation ended.
pub(in crate::sql) enum Ended {
    /// These; their rows are gone.
    Now(Vec<SessionId>),
    /// All that [`Before`] says were live; sweeps remove their rows.
    Later(Before),
}

/// How things stood before a revocation.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Before {
    key: Vec<u8>,
    not_before: Epoch,
    epoch: Epoch,
}

/// The sessions of `scope` as an index finds them.
pub(in crate::sql) fn among(scope: &Scope) -> Among<'_> {
    match scope {
        Scope::Everything => Among::Everything,
        Scope::App(app) => Among::App(app),
        Scope::Subject { app: None, subject } => Among::Subject(subject),
        Scope::Subject { app, subject } => Among::Exactly(subject, app.as_ref()),
    }
}

/// See [`cloakroom_core::store::SubjectIndex::revoke_all`].
pub(in crate::sql) async fn revoke<T: Tx>(
    tx: &mut T,
    scope: &Scope,
    except: Option<SessionId>,
) -> Result<Step, StoreError> {
    let few = few(tx, scope).await?;
    let mut ids = few.clone().unwrap_or_default();
    ids.extend(except);
    ids.sort_unstable();
    ids.dedup();
    let found = read(tx, scope, &ids).await?;
    let keys: BTreeSet<_> = found
        .iter()
        .flat_map(|record| keys_of(&record.security))
        .collect();
    let denials = tx.not_befores(&Vec::from_iter(keys)).await?;
    let now = tx.now().await?;
    let clock = tx.counter(EPOCH).await?;
    let clock = Epoch(decode_counter(EPOCH, clock.as_deref())?);
    let epoch = clock.next(0);
    let mut ended = Vec::new();
    for record in &found {
        let not_before = latest(&denials, &keys_of(&record.security))?;
        let live = now < record.deadline() && record.security.admitted >= not_before;
        if Some(record.id) != except {
            ended.push((record.id, live));
        } else if live {
            tx.replace(Written::of(&readmitted(record, epoch))).await?;
        }
    }
    let before = raise(tx, scope, clock, few.is_none()).await?;
    let ended = match few {
        None => Ended::Later(before),
        Some(_) => {
            let ids: Vec<_> = ended.iter().map(|(id, _)| *id).collect();
            if !ids.is_empty() {
                tx.remove(&ids).await?;
            }
            let live = ended.into_iter().filter(|(_, live)| *live);
            Ended::Now(live.map(|(id, _)| id).collect())
        }
    };
    Ok(Step { epoch, now, ended })
}

/// The sessions of `scope`, if it is a subject's and they are few.
async fn few<T: Tx>(tx: &mut T, scope: &Scope) -> Result<Option<Vec<SessionId>>, StoreError> {
    if matches!(scope, Scope::Everything | Scope::App(_)) {
        return Ok(None);
    }
    let ids = tx.ids(among(scope), None, AT_ONCE + 1).await?;
    Ok(Some(ids).filter(|ids| ids.len() <= AT_ONCE))
}

/// The sessions among `ids` that lie in the scope.
async fn read<T: Tx>(
    tx: &mut T,
    scope: &Scope,
    ids: &[SessionId],
) -> Result<Vec<Arc<Record>>, StoreError> {
    let mut found = Vec::new();
    if ids.is_empty() {
        return Ok(found);
    }
    for row in tx.rows(ids).await? {
        match row.decode(tx.pending(row.id)) {
            Ok(record) if scope.covers(&record) => found.push(record),
            Ok(_) => {}
            // The not-before denies it all the same.
            Err(error) => pass_over(row.id, &error),
        }
    }
    Ok(found)
}

/// A write to its security block, so what was computed from the old one conflicts.
fn readmitted(kept: &Record, epoch: Epoch) -> Record {
    let mut security = kept.security.clone();
    security.version += 1;
    security.admitted = epoch;
    kept.apply(&Change {
        security: Some(security),
        ..Change::default()
    })
}

/// Sets the not-before of a scope to the raised revocation clock.
async fn raise<T: Tx>(
    tx: &mut T,
    scope: &Scope,
    clock: Epoch,
    purge: bool,
) -> Result<Before, StoreError> {
    let epoch = clock.next(0);
    tx.set_counter(EPOCH, encode_counter(EPOCH, epoch.0))
        .await?;
    let cap = tx.counter(LATEST_CAP).await?;
    let cap = decode_counter(LATEST_CAP, cap.as_deref())?;
    let now = tx.now().await?;
    // Kept until nobody who was admitted before can live.
    let until = Timestamp::from_millis(cap.cast_signed())
        .max(now)
        .plus(LOGIN);
    let key = scope_key(scope);
    let old = tx.not_befores(std::slice::from_ref(&key)).await?;
    let not_before = match old.first() {
        Some((key, value)) => decode_not_before(key, value)?.0,
        None => Epoch::ZERO,
    };
    let value = seal(&key, &[&epoch.0.to_be_bytes(), &time_bytes(until)]);
    tx.put_not_before(&key, value, until, purge).await?;
    Ok(Before {
        key,
        not_before,
        epoch: clock,
    })
}

impl Before {
    /// Whether the revocation that made `epoch` at `now` found `record` live; `denials` are the not-befores that cover
    /// it today.
    pub(in crate::sql) fn was_live(
        &self,
        record: &Record,
        denials: &[Pair],
        (epoch, now): (Epoch, Timestamp),
    ) -> Result<bool, StoreError> {
        let admitted = record.security.admitted;
        if now >= record.deadline() || admitted >= epoch {
            return Ok(false);
        }
        // No not-before was later than the clock of then.
        if admitted >= self.epoch {
            return Ok(true);
        }
        for (key, value) in denials {
            let not_before = if *key == self.key {
                self.not_before
            } else {
                decode_not_before(key, value)?.0.min(self.epoch)
            };
            if admitted < not_before {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A session that cannot be read: reported and passed over, where one must not hold up all.
pub(in crate::sql) fn pass_over(id: SessionId, error: &StoreError) {
    tracing::error!(session = %id, %error, "passed over a session that cannot be read");
}
