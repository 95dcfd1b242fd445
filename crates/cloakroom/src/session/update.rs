//! Writing: a request's draft, at once or at its end, alone or with a value computed from what is stored.

use cloakroom_core::change::Edits;
use cloakroom_core::data::Data;
use cloakroom_core::lifecycle::{Draft, Intent, Outcome, TokenAction};

use super::state::{Basis, Inner, Reply, data, rank};
use super::{Error, Session};
use crate::service::{self, Committed, Found, Resolved};

/// Tries of one computed change; each lost one means that another writer got through.
const TRIES: usize = 1024;

impl Session {
    /// Writes everything pending, with what `compute` makes of the data it is to be applied to; computed again where
    /// another request came between.
    pub(crate) async fn commit_with(
        &self,
        mut compute: impl FnMut(&Data) -> Result<Edits, Error>,
    ) -> Result<(), Error> {
        let inner = &*self.inner;
        let _gate = inner.gate.lock().await;
        inner.look().await?;
        for _ in 0..TRIES {
            let mut taken = Taken::from(inner);
            let found = inner.state.lock().found().cloned();
            let more = compute(&data(found.as_ref(), taken.draft()))?;
            let draft = Draft {
                edits: taken.draft().edits.clone().then(more),
                ..taken.draft().clone()
            };
            let version = found.as_ref().map(|found| found.record().version);
            if let Some(committed) = inner.write(found, draft, version).await? {
                taken.settle();
                return inner.settle(committed, true);
            }
            drop(taken);
            inner.look_again().await?;
        }
        Err(Error::Contended)
    }

    /// Writes everything pending; the caller holds the gate and has looked.
    pub(super) async fn commit(&self) -> Result<(), Error> {
        let inner = &*self.inner;
        let mut taken = Taken::from(inner);
        let pending = !taken.draft().edits.is_empty() || taken.draft().intent != Intent::Keep;
        let found = inner.state.lock().found().cloned();
        let written = inner.write(found, taken.draft().clone(), None).await?;
        taken.settle();
        written.map_or(Ok(()), |committed| inner.settle(committed, pending))
    }
}

impl Inner {
    /// One write; `None` where the session is not at `version` any more.
    async fn write(
        &self,
        found: Option<Found>,
        mut draft: Draft,
        version: Option<u64>,
    ) -> Result<Option<Committed>, Error> {
        let begins = found.is_none();
        if begins {
            draft.device = self.device();
        }
        // Asked before anything is written: a token that nobody receives logs the client out.
        let giveable = self.can_give();
        let policy = match &giveable {
            Ok(()) => &self.sessions.inner.policy,
            Err(_) => &self.sessions.inner.untimed,
        };
        if draft.intent != Intent::Keep || (begins && draft.edits.names_set().next().is_some()) {
            giveable?;
        }
        let answer = self
            .sessions
            .commit_by(found, &draft, Outcome::Answered, version, policy);
        match answer.await {
            Ok(committed) => Ok(Some(committed)),
            Err(service::Error::Moved(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in what became of a write.
    fn settle(&self, committed: Committed, pending: bool) -> Result<(), Error> {
        let mut state = self.state.lock();
        if let Some(ended) = committed.ended {
            state.basis = Basis::Nothing;
            state.reply = self.forget();
            return if pending {
                Err(Error::Ended(ended))
            } else {
                Ok(())
            };
        }
        if let Some(record) = committed.record {
            let same = state.found().filter(|found| found.record().id == record.id);
            let found = match same {
                Some(found) => found.after(record, &committed.token),
                None => Found::begun(record),
            };
            state.basis = Basis::Live(found);
        }
        if let TokenAction::Set(token) = committed.token {
            state.reply = Reply::Give(token);
        }
        Ok(())
    }

    /// Reads the session again after another request changed it.
    async fn look_again(&self) -> Result<(), Error> {
        let Some(found) = self.state.lock().found().cloned() else {
            return Ok(());
        };
        let resolved = self.sessions.reopen(&found).await?;
        let mut state = self.state.lock();
        match resolved {
            Resolved::Live(found) => {
                state.basis = Basis::Live(found);
                Ok(())
            }
            Resolved::Ended(_, ended) => {
                state.basis = Basis::Nothing;
                state.draft = Draft::default();
                state.reply = self.forget();
                Err(Error::Ended(ended))
            }
        }
    }
}

/// The draft while it is being written. Where that fails or is cancelled, it goes back under what was added meanwhile:
/// an operation on a store happens whole or not at all, and edits applied twice give the same data.
struct Taken<'a> {
    inner: &'a Inner,
    draft: Draft,
}

impl<'a> Taken<'a> {
    fn from(inner: &'a Inner) -> Self {
        let mut state = inner.state.lock();
        state.writing = true;
        let admitted = state.draft.admitted;
        let draft = std::mem::replace(
            &mut state.draft,
            Draft {
                admitted,
                ..Draft::default()
            },
        );
        drop(state);
        Self { inner, draft }
    }

    fn draft(&self) -> &Draft {
        &self.draft
    }

    /// It was written: nothing goes back.
    fn settle(&mut self) {
        self.draft = Draft::default();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.writing = false;
        let later = std::mem::take(&mut state.draft.edits);
        state.draft.edits = std::mem::take(&mut self.draft.edits).then(later);
        if rank(&self.draft.intent) > rank(&state.draft.intent) {
            state.draft.intent = std::mem::take(&mut self.draft.intent);
        }
    }
}
