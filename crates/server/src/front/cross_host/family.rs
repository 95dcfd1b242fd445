//! Sessions that began with one login on several hosts: each opens its own host alone, and all end together.

use super::{HOST, PARENT};
use crate::state::AppState;
use cloakroom::{
    SessionId,
    service::{Cause, Error},
};
use cloakroom_core::{Record, store::Scope};

/// Whether a session may be used on `host`: one that was carried over to a host opens nothing on another.
pub(in crate::front) fn is_for(record: &Record, host: &str) -> bool {
    let own: Option<String> = record.data.read(HOST).ok().flatten();
    own.is_none_or(|own| own == host)
}

pub(super) fn parent_of(record: &Record) -> Option<SessionId> {
    record.data.read(PARENT).ok().flatten()
}

/// Ends the other sessions of the family: those that began with the same login on other hosts.
pub(in crate::front) async fn end_family(state: &AppState, record: &Record) -> Result<(), Error> {
    let Some(subject) = record.security.subject.clone() else {
        return Ok(());
    };
    let root = parent_of(record).unwrap_or(record.id);
    let scope = Scope::Subject { app: None, subject };
    let mut cursor = None;
    loop {
        let page = state.sessions().list(scope.clone(), cursor, 100).await?;
        for other in &page.records {
            if other.id != record.id && (other.id == root || parent_of(other) == Some(root)) {
                state.sessions().end(other.id, Cause::Ended).await?;
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
