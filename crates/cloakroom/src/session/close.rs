//! The end of a request: what is pending is written before the response leaves.

use cloakroom_core::lifecycle::{Draft, Outcome};

use super::state::{Inner, Reply};
use super::{Error, Session};

/// What the end of a request still has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nobody looked at the session: the response leaves as it is.
    Untouched,
    /// It was read, and nothing is to be written.
    Read,
    /// Something is to be written first.
    Write,
}

impl Session {
    /// What [`Session::close`] would do, told without doing it.
    pub(crate) fn closing(&self, outcome: Outcome) -> Closing {
        if self.inner.gate.try_lock().is_err() {
            // Another handle is writing, perhaps a token that this response must carry: wait for it.
            return Closing::Write;
        }
        let state = self.inner.state.lock();
        if state.has_draft() && outcome == Outcome::Answered {
            return Closing::Write;
        }
        if !state.is_read() {
            return Closing::Untouched;
        }
        drop(state);
        match self.inner.is_due(outcome) {
            true => Closing::Write,
            false => Closing::Read,
        }
    }

    /// Writes what is pending. A handler that failed has nothing pending; that its client was seen is still noted.
    pub(crate) async fn close(self, outcome: Outcome) -> Result<(), Error> {
        let inner = &*self.inner;
        let _gate = inner.gate.lock().await;
        if outcome == Outcome::Failed {
            inner.state.lock().draft = Draft::default();
            note_use(inner).await;
            return Ok(());
        }
        if !inner.state.lock().has_draft() {
            // A touch, a confirmation or a renewal by timer: if it fails, the next request makes up for it.
            if let Err(error) = self.commit().await {
                tracing::warn!(%error, "the use of a session could not be noted");
            }
            return Ok(());
        }
        inner.look().await?;
        self.commit().await
    }

    /// What to tell the client. From now on it cannot be told anything more.
    pub(crate) fn reply(&self) -> Reply {
        let mut state = self.inner.state.lock();
        state.closed = true;
        std::mem::take(&mut state.reply)
    }
}

async fn note_use(inner: &Inner) {
    let Some(found) = inner.state.lock().found().cloned() else {
        return;
    };
    if let Err(error) = inner
        .sessions
        .commit(Some(found), &Draft::default(), Outcome::Failed)
        .await
    {
        tracing::warn!(%error, "the use of a session could not be noted");
    }
}
