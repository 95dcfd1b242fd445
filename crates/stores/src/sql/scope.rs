//! Scopes as two columns, `subject` and `app`; an empty one means any, since no name is empty.
//!
//! What covers a session is then the cross product of `{'', subject}` and `{'', app}`: four rows, found by key. Both
//! columns must compare byte by byte (`COLLATE "C"`, `utf8mb4_bin`, `BINARY`).

use cloakroom_core::store::Scope;

/// The key of a scope's not-before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeKey<'s> {
    pub(crate) subject: &'s str,
    pub(crate) app: &'s str,
}

impl<'s> ScopeKey<'s> {
    pub(crate) fn of(scope: &'s Scope) -> Self {
        let (subject, app) = match scope {
            Scope::Everything => (None, None),
            Scope::App(app) => (None, Some(app)),
            Scope::Subject { app, subject } => (Some(subject), app.as_ref()),
        };
        Self {
            subject: subject.map_or("", |subject| subject.as_str()),
            app: app.map_or("", |app| app.as_str()),
        }
    }
}
