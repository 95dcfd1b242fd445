//! Waiting for a session's end: for sockets and streams that outlive their request.

use std::time::Duration;

use crate::service::Resolved;

use super::Session;

impl Session {
    /// Resolves when the session has ended, at once where there is none.
    ///
    /// An end that this process brings about is seen at once; one by another process, or by a deadline, within
    /// [`Builder::watch_every`](crate::Builder::watch_every) (5 s by default), at the price of one load for each waiting
    /// task and interval. Waiting is no use: it does not keep the session from going idle. A store that is out of reach
    /// is no end: the wait goes on.
    pub async fn ended(&self) {
        while self.load().await.is_err() {
            tokio::time::sleep(self.watch_every()).await;
        }
        let Some(id) = self.id() else {
            return;
        };
        loop {
            let watch = self.sessions().watch(id);
            let told = watch.ended();
            tokio::pin!(told);
            tokio::select! {
                // Polled first, so that an end between the look at the record and the wait is not missed.
                biased;
                () = &mut told => return,
                gone = self.is_gone(id) => if gone { return },
            }
            tokio::select! {
                () = &mut told => return,
                () = tokio::time::sleep(self.watch_every()) => {}
            }
        }
    }

    async fn is_gone(&self, id: cloakroom_core::SessionId) -> bool {
        match self.sessions().open_by_id(id).await {
            Ok(Resolved::Live(_)) => false,
            Ok(Resolved::Ended(..)) => true,
            Err(error) => {
                tracing::debug!(session_id = %id, %error, "a watched session could not be looked at");
                false
            }
        }
    }

    fn watch_every(&self) -> Duration {
        self.sessions().inner.front.watch_every
    }
}
