//! The keys of not-befores and of subjects' rows.

use cloakroom_core::record::Security;
use cloakroom_core::store::Scope;
use cloakroom_core::{App, Subject};

// Names have no control characters, so 0 ends one.
const END: u8 = 0;

/// The key of a scope's not-before.
pub(in crate::sql) fn scope_key(scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::Everything => vec![0],
        Scope::App(app) => tagged(1, app.as_str(), None),
        Scope::Subject { app: None, subject } => tagged(2, subject.as_str(), None),
        Scope::Subject {
            app: Some(app),
            subject,
        } => tagged(3, subject.as_str(), Some(app.as_str())),
    }
}

/// The keys of all not-befores that cover a session of `subject` in `app`: everything's, the application's, the
/// subject's, the subject's in the application.
pub(in crate::sql) fn covering(
    subject: Option<&Subject>,
    app: Option<&App>,
) -> [Option<Vec<u8>>; 4] {
    let pair = subject.zip(app);
    [
        Some(vec![0]),
        app.map(|app| tagged(1, app.as_str(), None)),
        subject.map(|subject| tagged(2, subject.as_str(), None)),
        pair.map(|(subject, app)| tagged(3, subject.as_str(), Some(app.as_str()))),
    ]
}

/// Those that there are of them.
pub(in crate::sql) fn keys_of(security: &Security) -> Vec<Vec<u8>> {
    covering(security.subject.as_ref(), security.app.as_ref())
        .into_iter()
        .flatten()
        .collect()
}

/// The key of the row that logins of `subject` in `app` take turns on.
pub(in crate::sql) fn subject_key(subject: &Subject, app: Option<&App>) -> Vec<u8> {
    match app {
        None => tagged(2, subject.as_str(), None),
        Some(app) => tagged(3, subject.as_str(), Some(app.as_str())),
    }
}

fn tagged(tag: u8, first: &str, second: Option<&str>) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + first.len() + second.map_or(0, str::len));
    key.push(tag);
    key.extend_from_slice(first.as_bytes());
    if let Some(second) = second {
        key.push(END);
        key.extend_from_slice(second.as_bytes());
    }
    key
}
