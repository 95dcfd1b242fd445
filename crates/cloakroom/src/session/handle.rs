//! The handle that handlers work with.

use std::fmt;
use std::sync::Arc;

use cloakroom_core::change::{Edit, Edits};
use cloakroom_core::data::JsonText;
use cloakroom_core::lifecycle::{Draft, Intent, Proof};
use cloakroom_core::record::Record;
use cloakroom_core::{SessionId, Subject, Timestamp};
use http::Extensions;
use http::uri::PathAndQuery;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::state::{Basis, Inner, Request};
use super::{AnyName, Error, Name};
use crate::Sessions;
use crate::service::Cause;

/// The session of one request. A cheap handle: clones mean the same session, and all methods work through `&self`.
///
/// As an axum extractor it is loaded already, and a store out of reach is answered with 503, never with an empty
/// session. From request extensions ([`Session::of`]) it loads itself at the first `await`; until then, the getters that
/// are not `async` know nothing.
///
/// What [`insert`](Session::insert), [`remove`](Session::remove), [`authenticate`](Session::authenticate) and
/// [`renew`](Session::renew) ask for is kept in memory and written, as one change, before the response leaves; where the
/// handler answers with a 5xx, panics or is cancelled by its client, it is not carried out. [`update`](Session::update),
/// [`save`](Session::save) and [`end`](Session::end) act at once. A visitor whose session nothing is written to gets no
/// cookie and costs no row.
///
/// A handle may outlive the response, in a socket or a spawned task: then [`save`](Session::save) and
/// [`update`](Session::update) still write to a session there is, but none can begin or change its token
/// ([`Error::TooLate`]).
#[derive(Clone)]
pub struct Session {
    pub(super) inner: Arc<Inner>,
}

impl Session {
    pub(crate) fn new(sessions: Sessions, request: Request) -> Self {
        Self {
            inner: Arc::new(Inner::new(sessions, request)),
        }
    }

    /// The session of the request with these extensions.
    ///
    /// # Errors
    /// [`Error::MissingLayer`].
    pub fn of(extensions: &Extensions) -> Result<Self, Error> {
        extensions.get::<Self>().cloned().ok_or(Error::MissingLayer)
    }

    /// The sessions it belongs to.
    pub fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// Loads the record, if that has not happened yet: the only read of a request.
    ///
    /// # Errors
    /// [`Error::Store`]: an error is never an empty session.
    pub async fn load(&self) -> Result<(), Error> {
        if self.inner.state.lock().is_read() {
            return Ok(());
        }
        let _gate = self.inner.gate.lock().await;
        self.inner.look().await
    }

    /// The value under `name`, with this request's own changes.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Json`] where the value is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, name: impl Name<T>) -> Result<Option<T>, Error> {
        let name = name.as_name();
        let (found, edits) = self.inner.view().await?;
        // Not under the lock: what T does while it is read is not ours.
        Ok(match edits.get(name) {
            Some(Edit::Set(text)) => Some(serde_json::from_str(text.as_str())?),
            Some(Edit::Remove) => None,
            None if edits.clears() => None,
            None => match found {
                Some(found) => found.record().data.read(name)?,
                None => None,
            },
        })
    }

    /// All data, with this request's own changes.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn data(&self) -> Result<cloakroom_core::Data, Error> {
        let (found, edits) = self.inner.view().await?;
        let stored = found.map(|found| found.record().data.clone());
        Ok(stored.unwrap_or_default().apply(&edits))
    }

    /// `name` gets `value`, at the end of the request. Of parallel requests that set one name the last one wins: use
    /// [`Session::update`] where the new value depends on the old.
    ///
    /// # Errors
    /// [`Error::Json`] where `value` has no JSON form; [`Error::Limit`] for a name that cannot be one.
    pub async fn insert<T: Serialize + ?Sized>(
        &self,
        name: impl Name<T>,
        value: &T,
    ) -> Result<(), Error> {
        let name = name.as_name();
        self.inner.sessions.policy().limits.check_name(name)?;
        let text = JsonText::of(value)?;
        self.edit(|edits| edits.set(name, text)).await;
        Ok(())
    }

    /// `name` goes, at the end of the request.
    ///
    /// # Errors
    /// None today; the same shape as [`Session::insert`].
    pub async fn remove(&self, name: impl AnyName) -> Result<(), Error> {
        self.edit(|edits| edits.remove(name.as_name())).await;
        Ok(())
    }

    /// All data goes, at the end of the request, also what other requests add before; the session, its subject and its
    /// token stay.
    ///
    /// # Errors
    /// None today; the same shape as [`Session::insert`].
    pub async fn clear(&self) -> Result<(), Error> {
        self.edit(Edits::clear).await;
        Ok(())
    }

    pub(super) async fn edit(&self, edit: impl FnOnce(&mut Edits)) {
        edit(&mut self.inner.state.lock().draft.edits);
    }

    /// Makes `name` what `compute` makes of its value, commits that at once together with everything pending, and gives
    /// the committed value. Where another request came between, `compute` runs again on the newer value: no update is
    /// lost. Without a session, one begins.
    ///
    /// # Errors
    /// [`Error::Ended`] where the session ended meanwhile; [`Error::Store`], [`Error::Limit`], [`Error::Json`].
    pub async fn update<T, F>(&self, name: impl Name<T>, mut compute: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> T,
    {
        let name = name.as_name();
        let mut committed = None;
        self.commit_with(|data| {
            let value = compute(data.read(name)?);
            let mut edits = Edits::new();
            edits.set(name, JsonText::of(&value)?);
            committed = Some(value);
            Ok(edits)
        })
        .await?;
        // It was computed at least once, or the commit would have failed.
        committed.ok_or(Error::Contended)
    }

    /// Writes everything pending at once.
    ///
    /// # Errors
    /// [`Error::Ended`] where the session ended meanwhile; [`Error::Store`], [`Error::Limit`], [`Error::Refused`].
    pub async fn save(&self) -> Result<(), Error> {
        let _gate = self.inner.gate.lock().await;
        if self.inner.state.lock().has_draft() {
            self.inner.look().await?;
            self.commit().await?;
        }
        Ok(())
    }

    /// The session belongs to `subject`, who was just proven: a new token goes out with the response, the old one is dead
    /// at once (OW-10). Data of an anonymous session stays; where another subject had it, his data goes.
    ///
    /// # Errors
    /// [`Error::Subject`] where `subject` cannot be one; [`Error::Store`]; [`Error::NoWayBack`].
    pub async fn authenticate<S>(&self, subject: S) -> Result<(), Error>
    where
        S: TryInto<Subject>,
        Error: From<S::Error>,
    {
        self.authenticate_with(Proof::of(subject.try_into()?)).await
    }

    /// As [`Session::authenticate`], telling also how the subject was proven.
    ///
    /// # Errors
    /// As [`Session::authenticate`].
    pub async fn authenticate_with(&self, proof: Proof) -> Result<(), Error> {
        self.stamp(&proof.subject).await?;
        self.inner.can_give()?;
        let mut state = self.inner.state.lock();
        let current = state.subject().cloned();
        let taken_over = current
            .as_ref()
            .is_some_and(|before| *before != proof.subject);
        state.draft.authenticate(proof, current.as_ref());
        if taken_over {
            // Also where the one before was only proven in this request, and what is stored is older than he.
            state.draft.edits.clear();
        }
        Ok(())
    }

    /// Says that a proof begins: a revocation of the subject's sessions from here on also stops the login that is under
    /// way. Only two kinds of login need to call it, before they look at the proof: one by GET, such as the return from an
    /// identity provider, and one that signs another person in over a session there is. For all others the extractor has
    /// done it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn before_proof(&self) -> Result<(), Error> {
        let _gate = self.inner.gate.lock().await;
        self.inner.look().await?;
        if !self.inner.state.lock().stamped {
            let admitted = self.inner.sessions.admitted().await?;
            self.inner.state.lock().stamp(admitted);
        }
        Ok(())
    }

    /// Puts into the draft when the proof of `subject` began, as far as that is known.
    async fn stamp(&self, subject: &Subject) -> Result<(), Error> {
        self.load().await?;
        {
            let mut state = self.inner.state.lock();
            let own = state.record().map(|record| &record.security);
            let own = own.filter(|security| security.subject.as_ref() == Some(subject));
            // Proven again: what was revoked since he was let in stays revoked, whenever this proof began.
            if let Some(admitted) = own
                .map(|security| security.admitted)
                .filter(|_| !state.stamped)
            {
                state.stamp(admitted);
            }
        }
        self.before_proof().await
    }

    /// A new token for the same session, with the response. The old one works until the new one was first seen, and the
    /// grace longer, so a lost response logs nobody out. Without a session, nothing happens.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::NoWayBack`]; [`Error::TooLate`].
    pub async fn renew(&self) -> Result<(), Error> {
        self.want(Intent::Renew).await
    }

    /// A new token for the same session, with the response, the old one dead at once: after a change of password, role or
    /// other privilege (OW-10). Without a session, nothing happens.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::NoWayBack`]; [`Error::TooLate`].
    pub async fn replace_token(&self) -> Result<(), Error> {
        self.want(Intent::Replace).await
    }

    async fn want(&self, intent: Intent) -> Result<(), Error> {
        self.load().await?;
        self.inner.can_give()?;
        self.inner.state.lock().want(intent);
        Ok(())
    }

    /// Ends the session at once; its cookie is taken away with the response. What is written later in this request begins
    /// a new session.
    ///
    /// # Errors
    /// [`Error::Store`]: the session may still be there.
    pub async fn end(&self) -> Result<(), Error> {
        let _gate = self.inner.gate.lock().await;
        self.inner.look().await?;
        let id = self.id();
        if let Some(id) = id {
            self.inner.sessions.end(id, Cause::Ended).await?;
        }
        let mut state = self.inner.state.lock();
        let admitted = state.draft.admitted;
        state.basis = Basis::Nothing;
        state.draft = Draft {
            admitted,
            ..Draft::default()
        };
        state.reply = self.inner.forget();
        Ok(())
    }

    /// The public handle of the session, which may be logged; `None` where there is none yet.
    pub fn id(&self) -> Option<SessionId> {
        self.of_record(|record| record.id)
    }

    /// Who it belongs to, a login of this request included; `None` for an anonymous session.
    pub fn subject(&self) -> Option<Subject> {
        self.inner.state.lock().subject().cloned()
    }

    /// When it ends regardless of use, as people's clocks show it.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.of_record(|record| self.inner.sessions.shown(record.expires_at()))
    }

    /// When it ends without further use, as people's clocks show it.
    pub fn idle_expires_at(&self) -> Option<Timestamp> {
        self.of_record(|record| self.inner.sessions.shown(record.deadline()))
    }

    /// Whether the request presented no live session: there is none yet, or it began in this request.
    pub fn is_new(&self) -> bool {
        let state = self.inner.state.lock();
        match &state.basis {
            Basis::Unread => false,
            Basis::Nothing => true,
            Basis::Live(found) => match &self.inner.request.presented {
                crate::Presented::Token { token, .. } => token.id() != found.record().id,
                _ => true,
            },
        }
    }

    pub(crate) fn of_record<T>(&self, read: impl FnOnce(&Record) -> T) -> Option<T> {
        let found = self.inner.state.lock().found().cloned();
        found.map(|found| read(found.record()))
    }

    /// What is left of it.
    pub(crate) fn lifetime(&self) -> std::time::Duration {
        let now = self.inner.sessions.now();
        self.of_record(|record| record.expires_at().since(now))
            .unwrap_or_default()
    }

    pub(crate) fn way_back(&self) -> Option<super::Way<'_>> {
        self.inner.way_back()
    }

    pub(crate) fn target(&self) -> Option<&PathAndQuery> {
        self.inner.request.target.as_ref()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
