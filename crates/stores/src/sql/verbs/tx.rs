//! One transaction, as the verbs use it: it reads and writes rows and decides nothing.

use cloakroom_core::store::{Kind, StoreError};
use cloakroom_core::{App, SessionId, Subject, Timestamp};

use super::stored::{Row, Written};
use super::touches::Touch;

/// Which sessions are meant.
#[derive(Debug, Clone, Copy)]
pub(in crate::sql) enum Among<'n> {
    /// All.
    Everything,
    /// Those of an application.
    App(&'n App),
    /// A subject's, in every application.
    Subject(&'n Subject),
    /// A subject's in one application, or in none.
    Exactly(&'n Subject, Option<&'n App>),
}

/// A key and its sealed value.
pub(in crate::sql) type Pair = (Vec<u8>, Vec<u8>);

/// Tables whose rows only go by time, without a look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Expiring {
    Replays,
    Entries,
    Subjects,
}

/// A purge that is under way: the sessions of a scope that its not-before denies, behind `after`.
#[derive(Debug, Clone)]
pub(in crate::sql) struct PurgeRow {
    pub(in crate::sql) key: Vec<u8>,
    pub(in crate::sql) value: Vec<u8>,
    pub(in crate::sql) after: Vec<u8>,
}

/// See the module. What it reads of sessions and counters it locks, where the database does so by the row.
pub(in crate::sql) trait Tx {
    /// The time by which deadlines are judged.
    async fn now(&mut self) -> Result<Timestamp, StoreError>;

    /// What an answer says of the time, where the database's own clock judges.
    fn store_now(&self, now: Timestamp) -> Option<Timestamp>;

    /// A hard cap that the counter of the latest one is known to have reached.
    fn known_cap(&self) -> Timestamp;

    /// That counter rises to `cap` at least.
    async fn raise_cap(&mut self, cap: Timestamp) -> Result<(), StoreError>;

    /// Takes turns with other logins of the subject; the row that stands for it is kept until `until`.
    async fn lock_subject(&mut self, key: &[u8], until: Timestamp) -> Result<(), StoreError>;

    /// The rows of `ids`, which ascend; those that there are.
    async fn rows(&mut self, ids: &[SessionId]) -> Result<Vec<Row>, StoreError>;

    /// At most `limit` ids behind `after`, ascending. Nothing is locked.
    async fn ids(
        &mut self,
        among: Among<'_>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// At most `limit` ids that the sweep has to look at. Nothing is locked.
    async fn due(&mut self, now: Timestamp, limit: usize) -> Result<Vec<SessionId>, StoreError>;

    /// A touch that waits to be written.
    fn pending(&self, id: SessionId) -> Option<Touch>;

    /// A new row; answers whether its id was free.
    async fn insert(&mut self, row: Written<'_>) -> Result<bool, StoreError>;

    /// In the place of the row of the same id, without a touch.
    async fn replace(&mut self, row: Written<'_>) -> Result<(), StoreError>;

    /// The sweep does not look at this one any more.
    async fn pass_over(&mut self, id: SessionId) -> Result<(), StoreError>;

    /// These rows go.
    async fn remove(&mut self, ids: &[SessionId]) -> Result<(), StoreError>;

    /// The not-befores under `keys`; those that there are.
    async fn not_befores(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Pair>, StoreError>;

    /// Writes a not-before; with `purge`, sweeps remove the sessions that it denies.
    async fn put_not_before(
        &mut self,
        key: &[u8],
        value: Vec<u8>,
        due: Timestamp,
        purge: bool,
    ) -> Result<(), StoreError>;

    /// At most `limit` not-befores that are past their time.
    async fn due_not_befores(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError>;

    /// A not-before goes.
    async fn remove_not_before(&mut self, key: &[u8]) -> Result<(), StoreError>;

    /// A purge that is under way, if there is one.
    async fn purge(&mut self) -> Result<Option<PurgeRow>, StoreError>;

    /// Where a purge stands now; `None`: it is done.
    async fn move_purge(&mut self, key: &[u8], after: Option<&[u8]>) -> Result<(), StoreError>;

    /// A counter, locked.
    async fn counter(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a counter.
    async fn set_counter(&mut self, name: &str, value: Vec<u8>) -> Result<(), StoreError>;

    /// The sealed value of a registry entry.
    async fn entry(&mut self, kind: Kind, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes or removes a registry entry.
    async fn put_entry(
        &mut self,
        kind: Kind,
        name: &str,
        value: Option<Vec<u8>>,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// At most `limit` entries of `kind` behind `after`, ascending: name and sealed value.
    async fn entries(
        &mut self,
        kind: Kind,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError>;

    /// Removes at most `limit` rows that are past their time; answers how many went.
    async fn clear(
        &mut self,
        what: Expiring,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Writes a touch of a session that is still there with this version of the security block.
    async fn write_touch(&mut self, id: SessionId, touch: Touch) -> Result<(), StoreError>;
}
