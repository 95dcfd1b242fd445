//! Who has which sessions, and from when on logins count.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::record::{Epoch, Security};
use crate::store::Scope;
use crate::subject::{App, Subject};
use crate::time::Timestamp;
use crate::token::SessionId;

/// The subject's sessions by application.
type ByApp = BTreeMap<Option<App>, BTreeSet<SessionId>>;

#[derive(Default)]
pub(in crate::store::memory) struct Index {
    epoch: Epoch,
    subjects: HashMap<Subject, ByApp>,
    /// Not-befores by scope, and until when a session admitted before could live.
    not_before: HashMap<Scope, (Epoch, Timestamp)>,
}

impl Index {
    pub(in crate::store::memory) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(in crate::store::memory) fn add(&mut self, id: SessionId, security: &Security) {
        if let Some(subject) = &security.subject {
            self.subjects
                .entry(subject.clone())
                .or_default()
                .entry(security.app.clone())
                .or_default()
                .insert(id);
        }
    }

    pub(in crate::store::memory) fn remove(&mut self, id: SessionId, security: &Security) {
        let Some(subject) = &security.subject else {
            return;
        };
        let Some(apps) = self.subjects.get_mut(subject) else {
            return;
        };
        if let Some(ids) = apps.get_mut(&security.app) {
            ids.remove(&id);
            if ids.is_empty() {
                apps.remove(&security.app);
            }
        }
        if apps.is_empty() {
            self.subjects.remove(subject);
        }
    }

    /// The sessions of a subject in one application.
    pub(in crate::store::memory) fn of(&self, app: Option<&App>, subject: &Subject) -> Vec<SessionId> {
        let ids = self
            .subjects
            .get(subject)
            .and_then(|apps| apps.get(&app.cloned()));
        ids.into_iter().flatten().copied().collect()
    }

    /// The sessions of a subject in all applications, ascending.
    pub(in crate::store::memory) fn of_all(&self, subject: &Subject) -> Vec<SessionId> {
        let mut ids: Vec<_> = self
            .subjects
            .get(subject)
            .into_iter()
            .flat_map(|apps| apps.values().flatten())
            .copied()
            .collect();
        ids.sort_unstable();
        ids
    }

    /// The latest not-before that covers a session.
    pub(in crate::store::memory) fn not_before(&self, security: &Security) -> Epoch {
        if self.not_before.is_empty() {
            return Epoch::ZERO;
        }
        let mut scopes = vec![Scope::Everything];
        scopes.extend(security.app.clone().map(Scope::App));
        if let Some(subject) = &security.subject {
            scopes.push(Scope::Subject {
                app: None,
                subject: subject.clone(),
            });
            if security.app.is_some() {
                scopes.push(Scope::Subject {
                    app: security.app.clone(),
                    subject: subject.clone(),
                });
            }
        }
        let found = scopes.iter().filter_map(|scope| self.not_before.get(scope));
        found.map(|(epoch, _)| *epoch).max().unwrap_or_default()
    }

    /// Raises the revocation clock and sets it as not-before of `scope`; sessions admitted before are past their hard cap
    /// at `until`.
    pub(in crate::store::memory) fn revoke(&mut self, scope: Scope, until: Timestamp, now: Timestamp) -> Epoch {
        self.not_before.retain(|_, (_, until)| now < *until);
        self.epoch = self.epoch.next(0);
        self.not_before.insert(scope, (self.epoch, until));
        self.epoch
    }
}
