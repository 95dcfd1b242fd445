//! Revoking. The not-before is the truth; the index only finds what it ends.

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{ErrorKind, Expect, Revoked, Scope, StoreError, Updated};
use cloakroom_core::{App, Change, SessionId, SubjectLimit};
use futures_util::future::{join_all, try_join_all};

use super::error::unavailable;
use super::inner::{Inner, epoch_of};
use super::keys::{Key, Owner};
use super::list::{AT_ONCE, Candidates};
use super::reassert::Said;
use super::route::Care;
use super::script::RAISE;

/// How long a not-before is kept after the last session that it denies could end: hard caps are 90 days unless set.
const KEEP_MS: i64 = 400 * 24 * 60 * 60 * 1000;
/// For what is never given back.
const FOR_EVER: i64 = 10_000_000_000_000_000;

impl Inner {
    pub(super) async fn epoch(&self) -> Result<Epoch, StoreError> {
        let (key, slot) = self.keys.epoch();
        let mut cmd = ::redis::cmd("GET");
        cmd.arg(key);
        epoch_of(&self.router.read(slot, &cmd).await?)
    }

    /// Raises the revocation clock. A second try only raises it twice.
    async fn next_epoch(&self) -> Result<Epoch, StoreError> {
        let (key, slot) = self.keys.epoch();
        let mut cmd = ::redis::cmd("INCRBY");
        cmd.arg(&key).arg(Epoch::ZERO.next(0).0);
        let epoch = epoch_of(&self.router.call(slot, &cmd, None, Care::Kept).await?)?;
        self.log.note(Said::Raised { key, slot, epoch });
        Ok(epoch)
    }

    pub(super) async fn revoke_all(
        &self,
        scope: &Scope,
        except: Option<SessionId>,
    ) -> Result<Revoked, StoreError> {
        let mut ids = Vec::new();
        let epoch = match self.next_epoch().await {
            Err(error) if error.kind() == ErrorKind::Full => {
                // Ends need no room, and make some.
                let next = self.epoch().await?.next(0);
                let before = vec![Epoch::ZERO; self.places(scope).len()];
                ids = self.end_all(scope, except, next, &before).await?;
                self.next_epoch().await?
            }
            epoch => epoch?,
        };
        let kept = match except {
            Some(id) if self.readmit(scope, id, epoch).await? => Some(id),
            _ => None,
        };
        let before = self.raise(scope, epoch).await?;
        // From here on none of them opens. What cannot be counted or removed now is denied all the same.
        match self.end_all(scope, kept, epoch, &before).await {
            Ok(ended) => ids.extend(ended),
            Err(error) => {
                tracing::warn!(%error, "a revocation holds, but could not look at every session");
            }
        }
        Ok(Revoked {
            count: ids.len() as u64,
            epoch,
            ids,
        })
    }

    /// The one that stays is admitted anew, before the not-before would deny it. Answers whether there is one.
    async fn readmit(
        &self,
        scope: &Scope,
        id: SessionId,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        for _ in 0..32 {
            let Some(found) = self.find(id).await? else {
                return Ok(false);
            };
            if !found.is_live() || !scope.covers(&found.row.record) {
                return Ok(false);
            }
            let mut security = found.row.record.security.clone();
            let expect = Expect::Security(security.version);
            security.version += 1;
            security.admitted = epoch;
            let change = Change {
                security: Some(security),
                ..Change::default()
            };
            match self.update(id, expect, &change, SubjectLimit::NONE).await? {
                Updated::Done { .. } => return Ok(true),
                Updated::Gone => return Ok(false),
                Updated::Conflict(_) | Updated::Refused(_) => {}
            }
        }
        Err(unavailable("a session is changed too often"))
    }

    /// Sets the not-before of `scope`. Answers what stood there, for each place where it stands.
    async fn raise(&self, scope: &Scope, epoch: Epoch) -> Result<Vec<Epoch>, StoreError> {
        let mut before = Vec::new();
        for places in self.places(scope).chunks(AT_ONCE) {
            let raising = places
                .iter()
                .map(|(slot, key)| self.raise_one(*slot, key.clone(), epoch));
            before.extend(try_join_all(raising).await?);
        }
        Ok(before)
    }

    async fn raise_one(&self, slot: u16, key: Key, epoch: Epoch) -> Result<Epoch, StoreError> {
        let before = self.say_raised(slot, key.clone(), epoch, KEEP_MS).await?;
        self.log.note(Said::Raised { key, slot, epoch });
        Ok(before)
    }

    async fn say_raised(
        &self,
        slot: u16,
        key: Key,
        epoch: Epoch,
        keep: i64,
    ) -> Result<Epoch, StoreError> {
        let answer = self
            .script(slot, &RAISE, &[key], Care::Kept, |cmd| {
                cmd.arg(epoch.0).arg(keep);
            })
            .await?;
        epoch_of(&answer)
    }

    /// Says it again after a failover.
    pub(super) async fn raise_again(
        &self,
        slot: u16,
        key: Key,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let keep = if key == self.keys.epoch().0 {
            FOR_EVER
        } else {
            KEEP_MS
        };
        self.say_raised(slot, key, epoch, keep).await.map(drop)
    }

    /// The keys where the not-before of `scope` stands: one of a subject, or a copy in each bucket.
    fn places(&self, scope: &Scope) -> Vec<(u16, Key)> {
        let app = match scope {
            Scope::Subject { app, subject } => {
                let owner = Owner {
                    app: app.clone(),
                    subject: Some(subject.clone()),
                };
                let slot = self.keys.subject_slot(subject);
                let key = self.keys.subject_not_befores(&owner).pop();
                return key.map(|key| (slot, key)).into_iter().collect();
            }
            Scope::Everything => None,
            Scope::App(app) => Some(app),
        };
        let place = |bucket| {
            let key = self.keys.bucket_not_befores(bucket, app).pop();
            key.map(|key| (self.keys.bucket_slot(bucket), key))
        };
        (0..self.keys.buckets()).filter_map(place).collect()
    }

    /// Ends what the revocation means; answers which of it was live.
    async fn end_all(
        &self,
        scope: &Scope,
        kept: Option<SessionId>,
        epoch: Epoch,
        before: &[Epoch],
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut live = Vec::new();
        if let Scope::Subject { app, subject } = scope {
            let mut entries = self.entries(subject).await?;
            let app = app.as_ref().map(App::as_str);
            entries.retain(|entry| app.is_none_or(|app| app == entry.app));
            entries.retain(|entry| Some(entry.id) != kept);
            for some in entries.chunks(AT_ONCE) {
                let ids = some.iter().map(|entry| entry.id).collect();
                let outcomes = self.end_some(scope, ids, epoch, before).await;
                let gone = |at: &usize| outcomes[*at].1 != Outcome::Stays;
                let gone = (0..some.len()).filter(gone).map(|at| some[at].clone());
                self.heal(subject, gone.collect()).await;
                live.extend(were_live(&outcomes));
            }
            return Ok(live);
        }
        let mut candidates = Candidates::of_buckets(self, None);
        loop {
            let mut ids = candidates.next(self, AT_ONCE).await?;
            if ids.is_empty() {
                return Ok(live);
            }
            ids.retain(|id| Some(*id) != kept);
            let outcomes = self.end_some(scope, ids, epoch, before).await;
            live.extend(were_live(&outcomes));
        }
    }

    async fn end_some(
        &self,
        scope: &Scope,
        ids: Vec<SessionId>,
        epoch: Epoch,
        before: &[Epoch],
    ) -> Vec<(SessionId, Outcome)> {
        let ending = ids.into_iter().map(|id| async move {
            let ended = self.end_one(scope, id, epoch, before).await;
            let outcome = ended.unwrap_or_else(|error| {
                tracing::warn!(%id, %error, "a revoked session could not be removed; it does not open");
                Outcome::Stays
            });
            (id, outcome)
        });
        join_all(ending).await
    }

    async fn end_one(
        &self,
        scope: &Scope,
        id: SessionId,
        epoch: Epoch,
        before: &[Epoch],
    ) -> Result<Outcome, StoreError> {
        let Some(found) = self.find(id).await? else {
            return Ok(Outcome::Gone);
        };
        let record = &found.row.record;
        if !scope.covers(record) || record.security.admitted >= epoch {
            return Ok(Outcome::Stays);
        }
        let not_before = self.other_not_befores(scope, id, record, before).await?;
        let was_live = record.deadline() > found.now && record.security.admitted >= not_before;
        let owner = Owner::of(record);
        let owner = owner.subject.is_some().then_some(&owner);
        let ended = self.end(id, owner, None, Some(epoch)).await?;
        let subject = record.security.subject.as_ref();
        if let (Some(subject), false) = (subject, matches!(scope, Scope::Subject { .. })) {
            let version = record.security.version.to_string();
            self.forget(subject, &[id], "v", version.as_bytes()).await;
        }
        Ok(match ended {
            Some(_) if was_live => Outcome::EndedLive,
            _ => Outcome::Gone,
        })
    }

    /// What covered a session before the revocation of `scope`.
    async fn other_not_befores(
        &self,
        scope: &Scope,
        id: SessionId,
        record: &cloakroom_core::Record,
        before: &[Epoch],
    ) -> Result<Epoch, StoreError> {
        let raised = self.places(scope);
        let bucket = usize::from(self.keys.bucket(id));
        let place = if raised.len() == 1 { 0 } else { bucket };
        let (raised, old) = match (raised.get(place), before.get(place)) {
            (Some((_, key)), Some(old)) => (key, *old),
            _ => return Ok(Epoch::ZERO),
        };
        let owner = Owner::of(record);
        let mut covering = self.covering(id, &owner);
        covering.here.retain(|key| key != raised);
        let mut latest = old;
        if !covering.here.is_empty() {
            let here = Some((self.slot(id), covering.here));
            latest = latest.max(self.latest(here.as_ref()).await?);
        }
        if let Some((slot, mut keys)) = covering.there {
            keys.retain(|key| key != raised);
            if !keys.is_empty() {
                latest = latest.max(self.latest(Some(&(slot, keys))).await?);
            }
        }
        Ok(latest)
    }
}

/// What became of a session that a revocation looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was live, and has ended.
    EndedLive,
    /// It is not there any more, and was not live.
    Gone,
    /// It is another's, or was admitted since.
    Stays,
}

fn were_live(outcomes: &[(SessionId, Outcome)]) -> impl Iterator<Item = SessionId> {
    let live = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == Outcome::EndedLive);
    live.map(|(id, _)| *id)
}
