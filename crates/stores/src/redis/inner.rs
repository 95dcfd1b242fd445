//! What all verbs share: keys, the way to the servers, and reading a session together with what judges it.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::redis::{Cmd, Value};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Loaded, StoreError};
use cloakroom_core::{SessionId, Subject, Timestamp};
use futures_util::future::{join, try_join_all};

use super::error::damaged;
use super::keys::{Key, Keys, Owner};
use super::options::Options;
use super::reassert::Log;
use super::recent::{Known, Plan, Recent};
use super::route::{Care, Router};
use super::row::{Row, Token};
use super::script::Script;

/// Locks against writers of one session in this process who would otherwise all try at once.
const STRIPES: usize = 256;

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: Options,
    pub(super) keys: Keys,
    pub(super) router: Router,
    pub(super) recent: Recent,
    pub(super) log: Log,
    pub(super) stripes: Box<[tokio::sync::Mutex<()>]>,
    /// Where the next sweep begins, so that no bucket waits for ever.
    pub(super) sweep_from: AtomicU64,
    chance: RandomState,
    count: AtomicU64,
}

/// A session as the server has it now.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) row: Row,
    pub(super) not_before: Epoch,
    pub(super) now: Timestamp,
}

impl Found {
    pub(super) fn is_live(&self) -> bool {
        self.row.record.deadline() > self.now
            && self.row.record.security.admitted >= self.not_before
    }

    pub(super) fn into_loaded(self) -> Loaded {
        Loaded {
            record: self.row.record,
            not_before: self.not_before,
            store_now: Some(self.now),
        }
    }
}

/// Keys of not-befores: those in the slot of the session, and those in the subject's, which is another in a Cluster.
pub(super) struct Covering {
    pub(super) here: Vec<Key>,
    pub(super) there: Option<(u16, Vec<Key>)>,
}

impl Inner {
    pub(super) fn new(options: Options) -> Self {
        Self {
            keys: Keys::new(&options.prefix, options.buckets),
            router: Router::new(&options),
            recent: Recent::new(options.recent_bytes),
            log: Log::default(),
            stripes: (0..STRIPES)
                .map(|_| tokio::sync::Mutex::default())
                .collect(),
            sweep_from: AtomicU64::new(0),
            chance: RandomState::new(),
            count: AtomicU64::new(0),
            options,
        }
    }

    pub(super) fn offset(&self) -> i64 {
        self.options.clock_offset.load(Ordering::SeqCst)
    }

    /// Names a write. Keys of the hash are drawn by the system, so no two nodes draw alike.
    pub(super) fn token(&self) -> Token {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        self.chance.hash_one(count).to_be_bytes()
    }

    pub(super) fn slot(&self, id: SessionId) -> u16 {
        self.keys.bucket_slot(self.keys.bucket(id))
    }

    /// The time of the server that has `slot`.
    pub(super) fn now_at(&self, slot: u16) -> Result<Timestamp, StoreError> {
        let now = self.router.link(slot)?.now();
        Ok(Timestamp::from_millis(now.saturating_add(self.offset())))
    }

    pub(super) fn covering(&self, id: SessionId, owner: &Owner) -> Covering {
        let bucket = self.keys.bucket(id);
        let mut here = self.keys.bucket_not_befores(bucket, owner.app.as_ref());
        let there = self.subject_covering(owner);
        match there {
            Some((_, keys)) if self.router.is_one() => {
                here.extend(keys);
                Covering { here, there: None }
            }
            there => Covering { here, there },
        }
    }

    pub(super) fn subject_covering(&self, owner: &Owner) -> Option<(u16, Vec<Key>)> {
        let subject = owner.subject.as_ref()?;
        let slot = self.keys.subject_slot(subject);
        Some((slot, self.keys.subject_not_befores(owner)))
    }

    /// The latest of some not-befores.
    pub(super) async fn latest(
        &self,
        place: Option<&(u16, Vec<Key>)>,
    ) -> Result<Epoch, StoreError> {
        match place {
            Some((slot, keys)) => self.latest_by(*slot, &get_all(keys)).await,
            None => Ok(Epoch::ZERO),
        }
    }

    async fn latest_by(&self, slot: u16, cmd: &Cmd) -> Result<Epoch, StoreError> {
        let values = array(self.router.read(slot, cmd).await?)?;
        latest_of(&values)
    }

    /// The session `id`, if it is kept, whether live or not.
    ///
    /// Whose it was a moment ago is the guess by which its not-befores are asked for in the same round trip.
    pub(super) async fn find(&self, id: SessionId) -> Result<Option<Found>, StoreError> {
        let known = self.recent.get(id);
        let plan = match &known {
            Some(known) => Arc::clone(&known.plan),
            None => Arc::new(self.plan(id, Owner::default())),
        };
        let slot = self.slot(id);
        let reading = self.router.read(slot, &plan.here);
        let (answer, elsewhere) = match &plan.there {
            Some((slot, cmd)) => join(reading, self.latest_by(*slot, cmd)).await,
            None => (reading.await, Ok(Epoch::ZERO)),
        };
        let mut values = array(answer?)?;
        let stored = match values.first_mut().map(std::mem::take) {
            Some(Value::BulkString(row)) => row,
            Some(Value::Nil) => {
                self.recent.forget(id);
                return Ok(None);
            }
            _ => return Err(damaged("reading a session record")),
        };
        let now = self.now_at(slot)?;
        let guessed = latest_of(&values[1..])?.max(elsewhere?);
        if let Some(known) = &known
            && known.row.bytes == stored
        {
            return Ok(Some(Found {
                row: known.row.clone(),
                not_before: guessed,
                now,
            }));
        }
        let row = Row::open(id, stored, known.as_ref().map(|known| &known.row))
            .inspect_err(|_| self.recent.forget(id))?;
        self.remember(&row);
        let not_before = if plan.owner.is_of(&row.record) {
            guessed
        } else {
            self.not_before(id, &Owner::of(&row.record)).await?
        };
        Ok(Some(Found {
            row,
            not_before,
            now,
        }))
    }

    fn plan(&self, id: SessionId, owner: Owner) -> Plan {
        let covering = self.covering(id, &owner);
        let mut keys = vec![self.keys.record(id)];
        keys.extend(covering.here);
        Plan {
            owner,
            here: get_all(&keys),
            there: covering.there.map(|(slot, keys)| (slot, get_all(&keys))),
        }
    }

    /// Keeps a row to begin from.
    pub(super) fn remember(&self, row: &Row) {
        let id = row.record.id;
        let known = self.recent.get(id).map(|known| known.plan);
        let plan = known
            .filter(|plan| plan.owner.is_of(&row.record))
            .unwrap_or_else(|| Arc::new(self.plan(id, Owner::of(&row.record))));
        let row = row.clone();
        self.recent.put(Known { row, plan });
    }

    /// The not-before that covers a session of `owner`.
    pub(super) async fn not_before(
        &self,
        id: SessionId,
        owner: &Owner,
    ) -> Result<Epoch, StoreError> {
        let covering = self.covering(id, owner);
        let here = Some((self.slot(id), covering.here));
        let (here, there) = join(
            self.latest(here.as_ref()),
            self.latest(covering.there.as_ref()),
        )
        .await;
        Ok(here?.max(there?))
    }

    /// Sessions by id, in that order; what is not there, or cannot be read, is left out.
    pub(super) async fn find_all(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<(SessionId, Option<Found>)>, StoreError> {
        let finding = ids.iter().map(|id| async move {
            match self.find(*id).await {
                Ok(found) => Ok((*id, found)),
                Err(error) if error.kind() == cloakroom_core::store::ErrorKind::Corrupt => {
                    tracing::error!(%id, %error, "passed over a session record that cannot be read");
                    Ok((*id, None))
                }
                Err(error) => Err(error),
            }
        });
        try_join_all(finding).await
    }

    /// Calls a script; `with` adds its arguments behind the clock's offset.
    pub(super) async fn script(
        &self,
        slot: u16,
        script: &'static Script,
        keys: &[Key],
        care: Care,
        with: impl FnOnce(&mut Cmd),
    ) -> Result<Value, StoreError> {
        let mut cmd = script.call(keys, self.offset());
        with(&mut cmd);
        self.router.run(slot, script, &cmd, care).await
    }

    pub(super) fn index_slot(&self, subject: &Subject) -> u16 {
        self.keys.subject_slot(subject)
    }

    pub(super) async fn stripe(&self, id: SessionId) -> tokio::sync::MutexGuard<'_, ()> {
        let place = usize::from(id.as_bytes()[14]) % STRIPES;
        self.stripes[place].lock().await
    }
}

pub(super) fn get_all(keys: &[Key]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg("MGET");
    for key in keys {
        cmd.arg(key.as_slice());
    }
    cmd
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(damaged("reading from Redis")),
    }
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(damaged("reading from Redis")),
    }
}

pub(super) fn latest_of(values: &[Value]) -> Result<Epoch, StoreError> {
    let mut latest = Epoch::ZERO;
    for value in values {
        latest = latest.max(epoch_of(value)?);
    }
    Ok(latest)
}

pub(super) fn epoch_of(value: &Value) -> Result<Epoch, StoreError> {
    match value {
        Value::Nil => Ok(Epoch::ZERO),
        Value::Int(epoch) => Ok(Epoch(u64::try_from(*epoch).unwrap_or(0))),
        Value::BulkString(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .map(Epoch)
            .ok_or_else(|| damaged("reading a not-before")),
        _ => Err(damaged("reading a not-before")),
    }
}

/// Shared by the handles of one store.
pub(super) type Shared = Arc<Inner>;
