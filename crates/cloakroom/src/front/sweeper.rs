//! Clearing expired sessions, so that a store does not grow by what nobody loads any more.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cloakroom_core::store::StoreError;

use crate::service::{Cause, Ending, Sessions};

/// How often requests cause a sweep at most.
const EVERY: Duration = Duration::from_secs(60);
/// Sessions in one call to the store.
const BATCH: usize = 1000;

/// When the last sweep began.
#[derive(Debug, Default)]
pub(crate) struct Sweeper {
    last: AtomicI64,
}

impl Sessions {
    /// Clears sessions past their deadlines, and tells hooks and watchers; answers how many there were.
    ///
    /// The layer does this about once a minute while requests come in; without the layer, call it now and then.
    ///
    /// # Errors
    /// [`StoreError`]: call again later, nothing is lost.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let swept = self.store().sweep(self.now(), BATCH).await?;
            count += swept.removed.len() as u64;
            for session in swept.removed {
                let cause = Cause::Expired;
                self.tell_ended(&Ending {
                    id: session.id,
                    subject: session.subject,
                    cause,
                });
            }
            if !swept.more {
                return Ok(count);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Starts a sweep beside the request where the last one was long enough ago. A failed one is followed by the next in
    /// its turn: there is no task that could die.
    pub(crate) fn sweep_if_due(&self) {
        let last = &self.inner.front.sweeper.last;
        let (before, now) = (last.load(Ordering::Relaxed), self.now().as_millis());
        let every = i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX);
        if now.saturating_sub(before) < every {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mine = last
            .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        // The first request only sets the clock: a start has better things to do.
        if mine && before != 0 {
            let sessions = self.clone();
            runtime.spawn(async move {
                match sessions.sweep().await {
                    Ok(0) => {}
                    Ok(count) => tracing::debug!(count, "expired sessions were cleared"),
                    Err(error) => tracing::warn!(%error, "expired sessions could not be cleared; the next sweep will"),
                }
            });
        }
    }
}
