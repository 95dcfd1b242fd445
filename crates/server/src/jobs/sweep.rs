//! The sweeper: it survives errors of the store, and never holds up requests for long.

use crate::state::AppState;
use cloakroom::service::{Cause, Ending};
use std::time::Duration;

/// How often expired sessions are looked for.
const EVERY: Duration = Duration::from_secs(10);
/// How many are cleared in one go.
const BATCH: usize = 500;
/// The longest wait after errors.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

pub(super) async fn run(state: AppState) {
    let mut wait = EVERY;
    loop {
        tokio::time::sleep(wait).await;
        let sessions = state.sessions();
        match sessions.store().sweep(sessions.now(), BATCH).await {
            Ok(swept) => {
                metrics::counter!("cloakroom_sessions_swept_total")
                    .increment(swept.removed.len() as u64);
                for gone in swept.removed {
                    let ending = Ending {
                        id: gone.id,
                        subject: gone.subject,
                        cause: Cause::Expired,
                    };
                    sessions.tell_ended(&ending);
                }
                wait = if swept.more {
                    Duration::from_millis(50)
                } else {
                    EVERY
                };
            }
            Err(error) => {
                metrics::counter!("cloakroom_sweep_errors_total").increment(1);
                tracing::warn!(%error, "expired sessions could not be cleared; trying again later");
                wait = (wait * 2).clamp(EVERY, BACKOFF_MAX);
            }
        }
    }
}
