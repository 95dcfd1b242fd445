//! What has to be done about one session: pure.

use cloakroom_core::lifecycle::{Ended, live_by_id};
use cloakroom_core::store::Loaded;
use cloakroom_core::{Record, Timestamp};

use super::journal::Note;

/// What has to be done about a session that lives in the old store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is not there: bring it.
    Create,
    /// It changed since it was copied, and nobody used the copy: bring it again.
    Replace,
    /// Only its last use is later.
    Touch,
    /// It is there as it is here.
    Same,
    /// It is called the same version and is not the same: the new store did not keep what it was given.
    Differs,
    /// It was changed there.
    Newer,
    /// It was copied and has ended there: it does not come back.
    EndedThere,
}

/// `there` is what the new store has, `note` the copy that was made of it earlier.
pub(super) fn alive(
    here: &Record,
    there: Option<&Loaded>,
    note: Option<Note>,
    now: Timestamp,
) -> Step {
    let Some(there) = there else {
        return match note {
            None => Step::Create,
            Some(_) => Step::EndedThere,
        };
    };
    let record = &there.record;
    let is_untouched = note.is_none_or(|note| is_copy(record, note));
    match live_by_id(there, now) {
        Err(Ended::Revoked) => return Step::EndedThere,
        // It was used here meanwhile and not there.
        Err(Ended::Idle | Ended::Absolute | Ended::HardCap) if is_untouched => {
            return Step::Replace;
        }
        Err(Ended::Idle | Ended::Absolute | Ended::HardCap) => return Step::EndedThere,
        Ok(()) | Err(_) => {}
    }
    let has_changed_there = note.is_some_and(|note| note.version != record.version);
    if record.version > here.version || has_changed_there {
        Step::Newer
    } else if record.version < here.version {
        Step::Replace
    } else if note.is_some() && !is_same(record, here) {
        Step::Differs
    } else if record.activity.idle_deadline < here.activity.idle_deadline {
        Step::Touch
    } else {
        Step::Same
    }
}

/// Whether the session was copied, has ended in the old store since, and the copy has to end too.
///
/// A session that nobody used in the new store ends with the old one. One that was used there lives on, unless it was
/// revoked here: people who moved on have let the old one expire.
pub(super) fn must_end(here: Option<&Loaded>, there: &Loaded, note: Note, now: Timestamp) -> bool {
    match here.map(|here| (here, live_by_id(here, now))) {
        Some((here, Err(Ended::Revoked))) => there.record.security.admitted < here.not_before,
        // It lives, or the copy expires with it by itself.
        Some(_) => false,
        None => is_copy(&there.record, note),
    }
}

/// Apart from its use, which moves on both sides.
fn is_same(one: &Record, other: &Record) -> bool {
    one.data == other.data
        && one.security == other.security
        && one.device == other.device
        && one.unknown == other.unknown
}

fn is_copy(record: &Record, note: Note) -> bool {
    record.version == note.version && record.activity.last_seen <= note.seen
}
