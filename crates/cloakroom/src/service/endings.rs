//! Who wants to know that a session has ended.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cloakroom_core::subject::Subject;
use cloakroom_core::token::SessionId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// By its client.
    Ended,
    /// By someone else: an operator, the person from another device.
    Revoked,
    /// Past a deadline.
    Expired,
    /// The subject began another one beyond his limit.
    Displaced,
}

impl Cause {
    /// A stable lower-case word for logs and the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Displaced => "displaced",
        }
    }
}

/// A session that ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Which.
    pub id: SessionId,
    /// Whose, where that is known.
    pub subject: Option<Subject>,
    /// Why.
    pub cause: Cause,
}

pub(crate) type Hook = Box<dyn Fn(&Ending) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Endings {
    hooks: Vec<Hook>,
    watched: Mutex<HashMap<SessionId, Arc<Notify>>>,
}

impl Endings {
    pub(crate) fn new(hooks: Vec<Hook>) -> Self {
        Self {
            hooks,
            watched: Mutex::default(),
        }
    }

    pub(crate) fn tell(&self, ending: &Ending) {
        for hook in &self.hooks {
            hook(ending);
        }
        let watched = self.watched.lock().remove(&ending.id);
        if let Some(notify) = watched {
            notify.notify_waiters();
        }
    }

    fn watch(&self, id: SessionId) -> Arc<Notify> {
        Arc::clone(self.watched.lock().entry(id).or_default())
    }

    fn unwatch(&self, id: SessionId, notify: &Arc<Notify>) {
        let mut watched = self.watched.lock();
        // Two handles: the map's and the one that is going.
        if watched
            .get(&id)
            .is_some_and(|held| Arc::ptr_eq(held, notify) && Arc::strong_count(held) <= 2)
        {
            watched.remove(&id);
        }
    }
}

/// Waits for the end of one session in this process; gone from the books when dropped.
pub struct EndWatch {
    id: SessionId,
    notify: Arc<Notify>,
    sessions: super::Sessions,
}

impl EndWatch {
    /// Resolves at the next ending of the session that this process carries out.
    pub async fn ended(&self) {
        self.notify.notified().await;
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        self.sessions.inner.endings.unwatch(self.id, &self.notify);
    }
}

impl fmt::Debug for EndWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EndWatch").field(&self.id).finish()
    }
}

impl super::Sessions {
    /// Watches for the end of `id`. Other processes' doings are not seen: look at the record too.
    pub fn watch(&self, id: SessionId) -> EndWatch {
        EndWatch {
            id,
            notify: self.inner.endings.watch(id),
            sessions: self.clone(),
        }
    }

    /// Tells hooks and watchers of a session that a sweep or another node ended.
    pub fn tell_ended(&self, ending: &Ending) {
        self.inner.endings.tell(ending);
    }
}
