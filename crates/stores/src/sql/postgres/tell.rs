//! Tells a near cache what other nodes end and revoke. Writes of data are not told: a notice makes commits wait for each
//! other. So a record is near for a second at most, and what is denied is gone as soon as the word arrives.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::{Notice, PostgresStore};
use crate::near_cache::{Sink, Tells};

/// How long a task may outlive the cache that it tells.
const LOOK: Duration = Duration::from_secs(1);

impl Tells for PostgresStore {
    fn tell(self: &Arc<Self>, sink: Sink) {
        let mut notices = self.notices();
        tokio::spawn(async move {
            let channel = sink.open(false);
            while !sink.is_closed() {
                match timeout(LOOK, notices.recv()).await {
                    Err(_) => {}
                    Ok(Ok(Notice::Session(id))) => channel.session(id),
                    Ok(Ok(Notice::Scope(scope))) => channel.denied(&scope),
                    Ok(Ok(Notice::Lapse) | Err(RecvError::Lagged(_))) => channel.everything(),
                    Ok(Err(RecvError::Closed)) => return,
                }
            }
        });
    }
}
