//! Where things lie in the folder.

use cloakroom_core::record::Security;
use cloakroom_core::store::{Kind, Scope};
use cloakroom_core::{App, SessionId, Subject, Timestamp};
use sha2::{Digest as _, Sha256};

use super::format::{hex, unhex};

/// What the store is, and which one; a folder without it is none.
pub(super) const FORMAT: &str = "FORMAT";
/// The revocation clock.
pub(super) const CLOCK: &str = "c";
/// The version from which on new registry entries count.
pub(super) const FLOOR: &str = "f";
/// What is being made or taken apart.
pub(super) const WORK: &str = "t";
/// What a sweep has to look at, and when.
pub(super) const QUEUE: &str = "q";
/// The folders that every store has.
pub(super) const FOLDERS: [&str; 9] = ["s", "u", "n", "g", "r", "b", "p", QUEUE, WORK];

/// Bytes of a registry name that stand in its folder's name as they are.
const NAME_PLAIN: usize = 100;
/// Milliseconds that share a folder of the queue, as a power of two: about a minute.
const QUEUE_BITS: u32 = 16;

fn hashed(front: &str, parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let hash = hex(&hasher.finalize()[..20]);
    format!("{front}/{}/{hash}", &hash[..2])
}

/// The folder above.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The folder of a session: ascending ids are ascending paths.
pub(super) fn session(id: SessionId) -> String {
    let id = hex(id.as_bytes());
    format!("s/{}/{id}", &id[..3])
}

/// The id that a name stands for.
pub(super) fn id_of(name: &str) -> Option<SessionId> {
    let bytes = unhex(name)?.try_into().ok()?;
    Some(SessionId::from_bytes(bytes))
}

/// The folder that names the sessions of a subject.
pub(super) fn subject(subject: &Subject) -> String {
    hashed("u", &[subject.as_str().as_bytes()])
}

/// The entry of a session there.
pub(super) fn index_entry(of: &Subject, id: SessionId) -> String {
    format!("{}/{}", subject(of), hex(id.as_bytes()))
}

/// The object by which limited logins of a subject in an application come one after another.
pub(super) fn gate(subject: &Subject, app: Option<&App>) -> String {
    let app = app.map_or(&b""[..], |app| app.as_str().as_bytes());
    hashed("g", &[subject.as_str().as_bytes(), app])
}

/// The not-before of a scope.
pub(super) fn not_before(scope: &Scope) -> String {
    match scope {
        Scope::Everything => hashed("n", &[]),
        Scope::App(app) => of_app(app),
        Scope::Subject { app, subject } => of_subject(subject, app.as_ref()),
    }
}

fn of_app(app: &App) -> String {
    hashed("n", &[app.as_str().as_bytes()])
}

fn of_subject(subject: &Subject, app: Option<&App>) -> String {
    let subject = subject.as_str().as_bytes();
    match app {
        None => hashed("n", &[b"", subject]),
        Some(app) => hashed("n", &[b"", subject, app.as_str().as_bytes()]),
    }
}

/// The not-befores that cover a session with this security block.
pub(super) fn covering(security: &Security) -> Vec<String> {
    let (subject, app) = (security.subject.as_ref(), security.app.as_ref());
    let mut paths = vec![not_before(&Scope::Everything)];
    paths.extend(app.map(of_app));
    paths.extend(subject.map(|subject| of_subject(subject, None)));
    let pair = subject.zip(app);
    paths.extend(pair.map(|(subject, app)| of_subject(subject, Some(app))));
    paths
}

/// A replay key.
pub(super) fn replay(key: &[u8]) -> String {
    hashed("p", &[key])
}

/// The folder of a kind of registry entries.
pub(super) fn kind(kind: Kind) -> String {
    format!("r/{}", kind.as_str())
}

/// What is moved when something of a kind was written.
pub(super) fn bell(kind: Kind) -> String {
    format!("b/{}", kind.as_str())
}

/// A registry entry: its name as it sorts; of a long one the front, and a hash.
pub(super) fn entry(of: Kind, name: &str) -> String {
    let front = kind(of);
    let name = name.as_bytes();
    if name.len() <= NAME_PLAIN {
        return format!("{front}/{}", hex(name));
    }
    let hash = hex(&Sha256::digest(name)[..20]);
    format!("{front}/{}~{hash}", hex(&name[..NAME_PLAIN]))
}

/// The bytes a registry name begins with, and whether that is all of it.
pub(super) fn name_front(file: &str) -> Option<(Vec<u8>, bool)> {
    match file.split_once('~') {
        Some((front, _)) => Some((unhex(front)?, false)),
        None => Some((unhex(file)?, true)),
    }
}

/// What waits in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Session(SessionId),
    /// An object whose path stands in the entry.
    Object,
}

/// The part of the queue in which a time lies.
pub(super) fn queue_part(time: Timestamp) -> u64 {
    time.as_millis().max(0).cast_unsigned() >> QUEUE_BITS
}

pub(super) fn queue_folder(part: u64) -> String {
    format!("{QUEUE}/{part:012x}")
}

/// The queue entry of a session.
pub(super) fn queued_session(deadline: Timestamp, id: SessionId) -> String {
    queued(deadline, 's', &hex(id.as_bytes()))
}

/// The queue entry of another object.
pub(super) fn queued_object(deadline: Timestamp, path: &str) -> String {
    queued(deadline, 'o', &hex(&Sha256::digest(path.as_bytes())[..20]))
}

fn queued(deadline: Timestamp, kind: char, key: &str) -> String {
    let folder = queue_folder(queue_part(deadline));
    let millis = deadline.as_millis().max(0);
    format!("{folder}/{millis:016x}{kind}{key}")
}

/// Reads the name of a queue entry.
pub(super) fn read_queued(name: &str) -> Option<(Timestamp, Waits)> {
    let (time, rest) = name.split_at_checked(16)?;
    let time = i64::from_str_radix(time, 16).ok()?;
    let waits = match rest.split_at_checked(1)? {
        ("s", id) => Waits::Session(id_of(id)?),
        ("o", _) => Waits::Object,
        _ => return None,
    };
    Some((Timestamp::from_millis(time), waits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_and_names_do_not_meet() {
        let ann = Subject::new("ann").unwrap();
        let app = App::new("ann").unwrap();
        let paths = [
            not_before(&Scope::Everything),
            of_app(&app),
            of_subject(&ann, None),
            of_subject(&ann, Some(&app)),
            gate(&ann, None),
            gate(&ann, Some(&app)),
        ];
        let distinct: std::collections::BTreeSet<_> = paths.iter().collect();
        assert_eq!(distinct.len(), paths.len());
    }

    #[test]
    fn registry_names_come_back_and_sort() {
        let long = "n".repeat(255);
        let path = entry(Kind::User, &long);
        let file = path.rsplit_once('/').unwrap().1;
        assert!(file.len() <= 255);
        assert_eq!(name_front(file), Some((vec![b'n'; 100], false)));
        let exact = "x".repeat(100);
        for name in ["a", "a/b", "\0", &exact] {
            let path = entry(Kind::User, name);
            let file = path.rsplit_once('/').unwrap().1;
            assert_eq!(name_front(file), Some((name.as_bytes().to_vec(), true)));
        }
    }

    #[test]
    fn queue_entries_come_back() {
        let id = SessionId::from_bytes([7; 16]);
        let time = Timestamp::from_millis(1_800_000_000_123);
        let path = queued_session(time, id);
        let name = path.rsplit_once('/').unwrap().1;
        assert_eq!(read_queued(name), Some((time, Waits::Session(id))));
        assert_eq!(read_queued("é"), None);
        assert_eq!(read_queued("00000000000000000000"), None);
    }
}
