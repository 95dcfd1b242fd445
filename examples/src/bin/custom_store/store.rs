//! A store of your own: three traits, one lock, a map.
//!
//! Every promise is a numbered sentence of [`Store`], [`SubjectIndex`] and [`ReplayGuard`], and the suite in
//! `cloakroom-conformance` has a case for each: a store for a database is this, with statements where the map is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloakroom::core::change::Change;
use cloakroom::core::policy::{OnFull, SubjectLimit};
use cloakroom::core::record::{Activity, Epoch, Record};
use cloakroom::core::store::{
    Clock, Consistency, Created, Cursor, Deleted, Expect, Listed, Loaded, Profile, Refusal,
    Revoked, Scope, Swept, SweptSession, Touched, Updated,
};
use cloakroom::{ReplayGuard, SessionId, Store, StoreError, SubjectIndex, Timestamp};

/// Sessions in a map.
#[derive(Debug, Default)]
pub(crate) struct MapStore {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    records: BTreeMap<SessionId, Arc<Record>>,
    /// The revocation clock, and from which of its times on logins are admitted again.
    epoch: Epoch,
    not_before: HashMap<Scope, Epoch>,
    seen: HashMap<Vec<u8>, Timestamp>,
}

impl MapStore {
    fn books(&self) -> MutexGuard<'_, Books> {
        // No operation leaves the books half changed, so a panic elsewhere does not matter.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// A record that has not ended (S-11, I-04).
    fn live(&self, id: SessionId, now: Timestamp) -> Option<&Arc<Record>> {
        let record = self.records.get(&id)?;
        let admitted = record.security.admitted >= self.not_before(record);
        (now < record.deadline() && admitted).then_some(record)
    }

    fn not_before(&self, record: &Record) -> Epoch {
        let covering = self
            .not_before
            .iter()
            .filter(|(scope, _)| scope.covers(record));
        covering.map(|(_, epoch)| *epoch).max().unwrap_or_default()
    }

    fn loaded(&self, record: &Arc<Record>) -> Loaded {
        let record = Arc::clone(record);
        Loaded {
            not_before: self.not_before(&record),
            record,
            store_now: None,
        }
    }

    /// Whether `record` may have its subject (S-07, S-14); answers who has to end for it.
    fn admit(
        &self,
        record: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Refusal> {
        if record.security.admitted < self.not_before(record) {
            return Err(Refusal::Revoked);
        }
        let (Some(_), Some(max)) = (&record.security.subject, limit.max) else {
            return Ok(Vec::new());
        };
        let others = self.records.values().filter(|other| {
            let same = (&other.security.app, &other.security.subject)
                == (&record.security.app, &record.security.subject);
            same && other.id != record.id && self.live(other.id, now).is_some()
        });
        let mut others: Vec<_> = others
            .map(|other| (other.security.created_at, other.id))
            .collect();
        let over = (others.len() + 1).saturating_sub(max as usize);
        if over > 0 && limit.on_full == OnFull::Deny {
            return Err(Refusal::TooManySessions);
        }
        others.sort_unstable();
        Ok(others.into_iter().take(over).map(|(_, id)| id).collect())
    }

    fn keep(&mut self, record: Arc<Record>, ended: &[SessionId]) {
        for id in ended {
            self.records.remove(id);
        }
        self.records.insert(record.id, record);
    }
}

impl Store for MapStore {
    fn profile(&self) -> Profile {
        Profile {
            name: "map",
            consistency: Consistency::Linearizable,
            durable: false,
            shared: false,
            clock: Clock::Caller,
            ready: false,
        }
    }

    async fn create(
        &self,
        record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut books = self.books();
        if books.records.contains_key(&record.id) {
            return Ok(Created::Exists);
        }
        Ok(match books.admit(&record, limit, now) {
            Ok(ended) => {
                books.keep(Arc::new(record), &ended);
                Created::Done(ended)
            }
            Err(refusal) => Created::Refused(refusal),
        })
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let books = self.books();
        Ok(books.records.get(&id).map(|record| books.loaded(record)))
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let mut books = self.books();
        let Some(record) = books.live(id, now) else {
            return Ok(Updated::Gone);
        };
        if !expect.holds(record) {
            return Ok(Updated::Conflict(books.loaded(record)));
        }
        let next = Arc::new(record.apply(&change));
        let new_subject = next.security.subject != record.security.subject;
        let limit = if new_subject {
            limit
        } else {
            SubjectLimit::NONE
        };
        let admitted = match change.security {
            Some(_) => books.admit(&next, limit, now),
            None => Ok(Vec::new()),
        };
        Ok(match admitted {
            Ok(ended) => {
                books.keep(Arc::clone(&next), &ended);
                Updated::Done {
                    record: next,
                    ended,
                }
            }
            Err(refusal) => Updated::Refused(refusal),
        })
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let mut books = self.books();
        let Some(record) = books.live(id, now) else {
            return Ok(Touched::Gone);
        };
        let mut next = Record::clone(record);
        next.activity = next.activity.later(activity);
        books.keep(Arc::new(next), &[]);
        Ok(Touched::Done)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let removed = self.books().records.remove(&id);
        Ok(removed.map_or(Deleted::Absent, Deleted::Done))
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let mut books = self.books();
        let expired = books
            .records
            .values()
            .filter(|record| record.deadline() <= now);
        let mut removed: Vec<_> = expired
            .take(limit + 1)
            .map(|record| SweptSession {
                id: record.id,
                subject: record.security.subject.clone(),
                deadline: record.deadline(),
            })
            .collect();
        let more = removed.len() > limit;
        removed.truncate(limit);
        for swept in &removed {
            books.records.remove(&swept.id);
        }
        books.seen.retain(|_, until| now < *until);
        Ok(Swept { removed, more })
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl SubjectIndex for MapStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.books().epoch)
    }

    async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let books = self.books();
        let after = cursor.map(|Cursor(id)| id);
        let mut records: Vec<_> = books
            .records
            .values()
            .filter(|record| after.is_none_or(|after| record.id > after) && scope.covers(record))
            .filter(|record| books.live(record.id, now).is_some())
            .take(limit + 1)
            .cloned()
            .collect();
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records
            .last()
            .filter(|_| more)
            .map(|record| Cursor(record.id));
        Ok(Listed { records, next })
    }

    async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let mut books = self.books();
        let covered = books.records.values().filter(|record| scope.covers(record));
        let ids: Vec<_> = covered
            .filter(|record| Some(record.id) != except && books.live(record.id, now).is_some())
            .map(|record| record.id)
            .collect();
        let epoch = books.epoch.next(0);
        // Who may stay is admitted anew in the same step; whoever is let in elsewhere in the meantime is not.
        let stays = except
            .and_then(|id| books.live(id, now))
            .filter(|record| scope.covers(record));
        if let Some(mut record) = stays.map(|record| Record::clone(record)) {
            record.security.admitted = epoch;
            record.security.version += 1;
            record.version += 1;
            books.keep(Arc::new(record), &[]);
        }
        books.epoch = epoch;
        books.not_before.insert(scope, epoch);
        for id in &ids {
            books.records.remove(id);
        }
        Ok(Revoked {
            count: ids.len() as u64,
            epoch,
            ids,
        })
    }
}

impl ReplayGuard for MapStore {
    async fn first_seen(
        &self,
        key: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut books = self.books();
        if books.seen.get(key).is_some_and(|until| now < *until) {
            return Ok(false);
        }
        books.seen.insert(key.to_vec(), until);
        Ok(true)
    }
}
