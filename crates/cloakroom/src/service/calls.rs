//! The calls of a program that keeps sessions without a layer: by token, or by session id where it may.

use std::sync::Arc;

use cloakroom_core::change::{Change, Edits};
use cloakroom_core::lifecycle::{
    Begin, Draft, Ended, Intent, Outcome, Proof, TokenAction, begin, confirm,
};
use cloakroom_core::record::{Epoch, Record};
use cloakroom_core::store::{Created, Cursor, Deleted, Expect, Listed, Revoked, Scope, Updated};
use cloakroom_core::token::{SessionId, SessionToken};

use super::engine::{Committed, Found, Resolved};
use super::{Cause, Ending, Error, Sessions};

/// Which session a call means.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The one that this token opens.
    Token(&'a SessionToken),
    /// This one, for a caller who may act by id.
    Id(SessionId),
}

/// A session and the token to use from now on.
#[derive(Debug, Clone)]
pub struct Started {
    /// The record as written.
    pub record: Arc<Record>,
    /// To hand to the client.
    pub token: SessionToken,
}

/// The answer to [`Sessions::verify`].
#[derive(Debug, Clone)]
pub enum Verified {
    /// The token opens this session.
    Active(Arc<Record>),
    /// It opens nothing; why is for logs and counters, not for the client.
    Inactive(Ended),
}

impl Sessions {
    /// Begins a session.
    ///
    /// `what.admitted` must have been read ([`Sessions::admitted`]) before the proof of its subject began.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Refused`], [`Error::Store`].
    pub async fn create(&self, what: &Begin) -> Result<Started, Error> {
        let policy = self.policy();
        policy.limits.check_edits(&what.edits)?;
        let now = self.now();
        let (record, token) = begin(what, policy, now, &self.inner.entropy.token_bytes());
        policy.limits.check_data(&record.data)?;
        let record = Arc::new(record);
        match self
            .inner
            .store
            .create((*record).clone(), policy.per_subject, now)
            .await?
        {
            Created::Done(ended) => {
                for id in ended {
                    let subject = record.security.subject.clone();
                    self.tell_ended(&Ending {
                        id,
                        subject,
                        cause: Cause::Displaced,
                    });
                }
                Ok(Started { record, token })
            }
            Created::Exists => Err(Error::Contended),
            Created::Refused(refusal) => Err(Error::Refused(refusal)),
        }
    }

    /// Whether `token` opens a session, and which. With `touch`, its use is noted.
    ///
    /// The first sight of a renewed token is written at once in either case.
    ///
    /// # Errors
    /// [`Error::Store`]: a store out of reach is not an inactive token.
    pub async fn verify(&self, token: &SessionToken, touch: bool) -> Result<Verified, Error> {
        let found = match self.open(token).await? {
            Resolved::Live(found) => found,
            Resolved::Ended(_, ended) => return Ok(Verified::Inactive(ended)),
        };
        if !touch && confirm(found.record(), found.via(), self.policy(), self.now()).is_none() {
            return Ok(Verified::Active(Arc::clone(found.record())));
        }
        let committed = self
            .commit_by(
                Some(found),
                &Draft::default(),
                Outcome::Answered,
                None,
                &self.inner.untimed,
            )
            .await?;
        Ok(match (committed.record, committed.ended) {
            (Some(record), None) => Verified::Active(record),
            (_, ended) => Verified::Inactive(ended.unwrap_or(Ended::Unknown)),
        })
    }

    /// The live session with this id, untouched.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn get(&self, id: SessionId) -> Result<Option<Arc<Record>>, Error> {
        Ok(match self.open_by_id(id).await? {
            Resolved::Live(found) => Some(Arc::clone(found.record())),
            Resolved::Ended(..) => None,
        })
    }

    async fn find(&self, target: Target<'_>) -> Result<Found, Error> {
        live(match target {
            Target::Token(token) => self.open(token).await?,
            Target::Id(id) => self.open_by_id(id).await?,
        })
    }

    async fn find_fresh(&self, target: Target<'_>) -> Result<Found, Error> {
        live(match target {
            Target::Token(token) => {
                let presented = Some(token.secret().hash());
                self.open_fresh(token.id(), presented).await?
            }
            Target::Id(id) => self.open_fresh(id, None).await?,
        })
    }

    /// Edits data by name; with `version`, only where the session is at exactly that version.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::Moved`], [`Error::Limit`], [`Error::Store`].
    pub async fn update(
        &self,
        target: Target<'_>,
        edits: Edits,
        version: Option<u64>,
    ) -> Result<Arc<Record>, Error> {
        // An `If-Match` is compared with what is there now, not with what was a second ago.
        let found = match version {
            Some(_) => self.find_fresh(target).await?,
            None => self.find(target).await?,
        };
        let draft = Draft {
            edits,
            ..Draft::default()
        };
        let committed = self
            .commit_by(
                Some(found),
                &draft,
                Outcome::Answered,
                version,
                &self.inner.untimed,
            )
            .await?;
        record_of(committed)
    }

    /// Edits data computed from what is there: `compute` sees the record that its edits will be applied to, and is called
    /// again where another writer came between, so no update is lost.
    ///
    /// # Errors
    /// As [`Sessions::update`], and what `compute` answers.
    pub async fn update_with<F>(
        &self,
        target: Target<'_>,
        mut compute: F,
    ) -> Result<Arc<Record>, Error>
    where
        F: FnMut(&Record) -> Result<Edits, Error> + Send,
    {
        let mut found = self.find(target).await?;
        loop {
            let edits = compute(found.record())?;
            let version = found.record().version;
            let draft = Draft {
                edits,
                ..Draft::default()
            };
            let tried = self
                .commit_by(
                    Some(found),
                    &draft,
                    Outcome::Answered,
                    Some(version),
                    &self.inner.untimed,
                )
                .await;
            match tried {
                Err(Error::Moved(_)) => found = self.find_fresh(target).await?,
                other => return record_of(other?),
            }
        }
    }

    /// The subject of a session was proven: it gets a new token, the old one opens nothing from that moment (OW-10).
    ///
    /// `admitted` must have been read before the proof began.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::Refused`], [`Error::Store`].
    pub async fn authenticate(
        &self,
        target: Target<'_>,
        proof: Proof,
        admitted: Epoch,
    ) -> Result<Started, Error> {
        let found = self.find(target).await?;
        let mut draft = Draft {
            admitted,
            ..Draft::default()
        };
        draft.authenticate(proof, found.record().security.subject.as_ref());
        self.start(found, &draft).await
    }

    /// A new token for the same session; the old one works until the new one was first seen, and the grace longer.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::Store`].
    pub async fn renew(&self, target: Target<'_>) -> Result<Started, Error> {
        let found = self.find(target).await?;
        self.start(
            found,
            &Draft {
                intent: Intent::Renew,
                ..Draft::default()
            },
        )
        .await
    }

    /// A new token for the same session after a change of privilege; the old one is dead at once.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::Store`].
    pub async fn replace_token(&self, target: Target<'_>) -> Result<Started, Error> {
        let found = self.find(target).await?;
        self.start(
            found,
            &Draft {
                intent: Intent::Replace,
                ..Draft::default()
            },
        )
        .await
    }

    async fn start(&self, found: Found, draft: &Draft) -> Result<Started, Error> {
        let committed = self
            .commit_by(
                Some(found),
                draft,
                Outcome::Answered,
                None,
                &self.inner.untimed,
            )
            .await?;
        match (committed.record, committed.token) {
            (Some(record), TokenAction::Set(token)) => Ok(Started { record, token }),
            _ => Err(Error::Ended(committed.ended.unwrap_or(Ended::Unknown))),
        }
    }

    /// Ends a session; answers its last record, or `None` where it had ended already.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn end(&self, id: SessionId, cause: Cause) -> Result<Option<Arc<Record>>, Error> {
        match self.inner.store.delete(id).await? {
            Deleted::Done(record) => {
                self.tell_ended(&Ending {
                    id,
                    subject: record.security.subject.clone(),
                    cause,
                });
                Ok(Some(record))
            }
            Deleted::Absent => Ok(None),
        }
    }

    /// Live sessions of `scope`, in pages.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list(
        &self,
        scope: Scope,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Listed, Error> {
        Ok(self
            .inner
            .store
            .list(scope, cursor, limit, self.now())
            .await?)
    }

    /// Ends every session of `scope`, except one; holds for logins that race with it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn revoke_all(
        &self,
        scope: Scope,
        except: Option<SessionId>,
    ) -> Result<Revoked, Error> {
        let revoked = self
            .inner
            .store
            .revoke_all(scope.clone(), except, self.now())
            .await?;
        let subject = match scope {
            Scope::Subject { subject, .. } => Some(subject),
            Scope::App(_) | Scope::Everything => None,
        };
        for id in &revoked.ids {
            self.tell_ended(&Ending {
                id: *id,
                subject: subject.clone(),
                cause: Cause::Revoked,
            });
        }
        Ok(revoked)
    }

    /// Writes a change as it is, if `expect` holds: for rules outside the lifecycle, such as a new device label.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn write_change(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
    ) -> Result<Updated, Error> {
        self.write(id, expect, change, self.policy().per_subject)
            .await
    }
}

fn live(resolved: Resolved) -> Result<Found, Error> {
    match resolved {
        Resolved::Live(found) => Ok(found),
        Resolved::Ended(_, ended) => Err(Error::Ended(ended)),
    }
}

fn record_of(committed: Committed) -> Result<Arc<Record>, Error> {
    committed
        .record
        .ok_or(Error::Ended(committed.ended.unwrap_or(Ended::Unknown)))
}
