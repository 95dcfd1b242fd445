//! From a token to a record, and from a plan to a write: the loop around the pure rules.

use std::sync::Arc;

use cloakroom_core::change::Change;
use cloakroom_core::lifecycle::{
    Basis, Draft, Ended, Intent, Opened, Outcome, Plan, TokenAction, Via, Write, close, live_by_id,
    open,
};
use cloakroom_core::policy::{Policy, SubjectLimit};
use cloakroom_core::record::{Epoch, Record};
use cloakroom_core::store::{Created, ErrorKind, Expect, Loaded, Updated};
use cloakroom_core::token::{SecretHash, SessionId, SessionToken};

use super::{Cause, Ending, Error, Sessions};

/// Tries of one change before [`Error::Contended`]. Each lost try means that another writer succeeded, so this many
/// writers can be served at once even if every one of them loses to all others.
const TRIES: usize = 1024;

/// A live session as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    record: Arc<Record>,
    via: Via,
    presented: Option<SecretHash>,
}

/// What a presented token led to.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// A live session.
    Live(Found),
    /// Nothing that may be used, and why; to the client all of these look alike.
    Ended(SessionId, Ended),
}

/// What became of a request's draft.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The record as it stands now; `None` where there is no session.
    pub record: Option<Arc<Record>>,
    /// What to tell the client about its token.
    pub token: TokenAction,
    /// The session ended while the request ran: its changes are gone with it.
    pub ended: Option<Ended>,
}

impl Found {
    /// The record.
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Which secret opened it.
    pub fn via(&self) -> Via {
        self.via
    }

    /// The same session after a write of this request. Its presenter is trusted from now on by the write itself.
    #[must_use]
    pub fn after(&self, record: Arc<Record>, token: &TokenAction) -> Self {
        match token {
            TokenAction::Set(token) if record.security.secrets.current == token.secret().hash() => {
                Self {
                    record,
                    via: Via::Current,
                    presented: Some(token.secret().hash()),
                }
            }
            // A renewal under way, or none: the presented secret is as good as before; a confirmed one is current now.
            _ => {
                let via = if self.via == Via::Next {
                    Via::Current
                } else {
                    self.via
                };
                Self {
                    record,
                    via,
                    presented: self.presented,
                }
            }
        }
    }

    /// A session that this request began.
    pub fn begun(record: Arc<Record>) -> Self {
        let presented = Some(record.security.secrets.current);
        Self {
            record,
            via: Via::Current,
            presented,
        }
    }
}

impl Sessions {
    /// Finds the session that `token` opens: one load, no write.
    ///
    /// # Errors
    /// [`Error::Store`]: an error is never an empty session.
    pub async fn open(&self, token: &SessionToken) -> Result<Resolved, Error> {
        self.look(token.id(), Some(token.secret().hash())).await
    }

    /// Finds a live session for a caller who may act by its id.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn open_by_id(&self, id: SessionId) -> Result<Resolved, Error> {
        self.look(id, None).await
    }

    /// As [`Sessions::open_by_id`] or [`Sessions::open`], on a state that is not older than the call.
    pub(super) async fn open_fresh(
        &self,
        id: SessionId,
        presented: Option<SecretHash>,
    ) -> Result<Resolved, Error> {
        let loaded = self.inner.store.load_fresh(id).await?;
        Ok(self.judge(id, loaded, presented))
    }

    /// Only a state that is not older than the call may turn somebody away: his newest token may be younger than what a
    /// store that lags shows.
    async fn look(&self, id: SessionId, presented: Option<SecretHash>) -> Result<Resolved, Error> {
        let loaded = self.inner.store.load(id).await?;
        let resolved = self.judge(id, loaded, presented);
        if matches!(resolved, Resolved::Ended(..)) && self.inner.store.may_lag() {
            return self.open_fresh(id, presented).await;
        }
        Ok(resolved)
    }

    fn judge(
        &self,
        id: SessionId,
        loaded: Option<Loaded>,
        presented: Option<SecretHash>,
    ) -> Resolved {
        let Some(loaded) = loaded else {
            return Resolved::Ended(id, Ended::Unknown);
        };
        let now = self.now();
        let verdict = match &presented {
            Some(secret) => open(&loaded, secret, now),
            None => match live_by_id(&loaded, now) {
                Ok(()) => Opened::Live(cloakroom_core::lifecycle::Live { via: Via::Current }),
                Err(ended) => Opened::Ended(ended),
            },
        };
        match verdict {
            Opened::Live(live) => Resolved::Live(Found {
                record: loaded.record,
                via: live.via,
                presented,
            }),
            Opened::Ended(ended) => Resolved::Ended(id, ended),
        }
    }

    /// The revocation clock: read it before a proof begins, and put it into the draft.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn admitted(&self) -> Result<Epoch, Error> {
        Ok(self.inner.store.epoch().await?)
    }

    /// Carries out what a request did: at most one write, retried on newer records until it holds.
    ///
    /// # Errors
    /// Where nothing was written: [`Error::Store`], [`Error::Limit`], [`Error::Refused`], [`Error::Contended`].
    pub async fn commit(
        &self,
        found: Option<Found>,
        draft: &Draft,
        outcome: Outcome,
    ) -> Result<Committed, Error> {
        self.commit_by(found, draft, outcome, None, &self.inner.policy)
            .await
    }

    /// Reads a session again that this request has opened before, with the same secret.
    pub(crate) async fn reopen(&self, found: &Found) -> Result<Resolved, Error> {
        self.open_fresh(found.record.id, found.presented).await
    }

    /// As [`Sessions::commit`], by the given rules and, with `version`, only on exactly that version.
    pub(crate) async fn commit_by(
        &self,
        mut found: Option<Found>,
        draft: &Draft,
        outcome: Outcome,
        version: Option<u64>,
        policy: &Policy,
    ) -> Result<Committed, Error> {
        let random = self.inner.entropy.randomness();
        for _ in 0..TRIES {
            if let Some((found, version)) = found.as_ref().zip(version)
                && found.record.version != version
            {
                return Err(Error::Moved(found.record.version));
            }
            let basis = found.as_ref().map_or(Basis::Nothing, |found| {
                Basis::Live(&found.record, found.via)
            });
            let plan = close(
                draft,
                basis,
                outcome,
                policy,
                &self.inner.key,
                self.now(),
                &random,
            )?;
            let before = found.as_ref().map(|found| Arc::clone(&found.record));
            match self.carry_out(plan, before, version).await? {
                Step::Done(committed) => return Ok(committed),
                Step::Again(loaded) => {
                    let presented = found.as_ref().and_then(|found| found.presented);
                    let id = loaded.record.id;
                    match self.judge(id, Some(loaded), presented) {
                        Resolved::Live(newer) => found = Some(newer),
                        Resolved::Ended(_, ended) => match self.without(draft, ended) {
                            Some(committed) => return Ok(committed),
                            None => found = None,
                        },
                    }
                }
                Step::Gone => match self.without(draft, Ended::Unknown) {
                    Some(committed) => return Ok(committed),
                    None => found = None,
                },
            }
        }
        Err(Error::Contended)
    }

    /// The session ended under the request. A login goes on in a new session; all else is over.
    fn without(&self, draft: &Draft, ended: Ended) -> Option<Committed> {
        match draft.intent {
            Intent::Authenticate(_) => None,
            _ => Some(Committed {
                record: None,
                token: TokenAction::Keep,
                ended: Some(ended),
            }),
        }
    }

    async fn carry_out(
        &self,
        plan: Plan,
        before: Option<Arc<Record>>,
        version: Option<u64>,
    ) -> Result<Step, Error> {
        let token = plan.token;
        let now = self.now();
        let done = |record, token| {
            Ok(Step::Done(Committed {
                record,
                token,
                ended: None,
            }))
        };
        match plan.write {
            None => done(before, token),
            Some(Write::Create(record, limit)) => {
                let kept = Arc::new((*record).clone());
                match self.inner.store.create(*record, limit, now).await? {
                    Created::Done(ended) => {
                        self.displaced(ended, &kept);
                        done(Some(kept), token)
                    }
                    // Two ids of 128 random bits alike: a broken generator, not chance; trying again would hide it.
                    Created::Exists => Err(Error::Contended),
                    Created::Refused(refusal) => Err(Error::Refused(refusal)),
                }
            }
            Some(Write::Touch(id, activity)) => {
                // The session may have ended meanwhile; what was read stays read.
                match self.inner.store.touch(id, activity, now).await {
                    Ok(_) => {}
                    // A store that is full or takes no writes can still be read: who only reads goes on, and his session
                    // ends as early as if he had not come.
                    Err(error) if matches!(error.kind(), ErrorKind::Full | ErrorKind::Denied) => {
                        tracing::warn!(%error, "a use of a session could not be noted");
                        return done(before, token);
                    }
                    Err(error) => return Err(error.into()),
                }
                let record = before.map(|record| {
                    let mut touched = (*record).clone();
                    touched.activity = touched.activity.later(activity);
                    Arc::new(touched)
                });
                done(record, token)
            }
            Some(Write::Update {
                id,
                expect,
                change,
                limit,
            }) => {
                let expect = version.map_or(expect, Expect::Version);
                Ok(match self.write(id, expect, change, limit).await? {
                    Updated::Done { record, .. } => Step::Done(Committed {
                        record: Some(record),
                        token,
                        ended: None,
                    }),
                    Updated::Conflict(newer) => Step::Again(newer),
                    Updated::Gone => Step::Gone,
                    Updated::Refused(refusal) => return Err(Error::Refused(refusal)),
                })
            }
        }
    }

    /// One update, with word to those whose sessions had to end for it.
    pub(super) async fn write(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
    ) -> Result<Updated, Error> {
        let answer = self
            .inner
            .store
            .update(id, expect, change, limit, self.now())
            .await?;
        if let Updated::Done { record, ended } = &answer {
            self.displaced(ended.clone(), record);
        }
        Ok(answer)
    }

    fn displaced(&self, ended: Vec<SessionId>, by: &Record) {
        for id in ended {
            self.tell_ended(&Ending {
                id,
                subject: by.security.subject.clone(),
                cause: Cause::Displaced,
            });
        }
    }
}

enum Step {
    Done(Committed),
    Again(Loaded),
    Gone,
}
