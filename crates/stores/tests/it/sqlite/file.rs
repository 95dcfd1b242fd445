//! The file: how it is made, whose it may be, and what happens when it is damaged, moved or replaced.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Created, ErrorKind, Expect, Store as _, SubjectIndex as _};
use cloakroom_core::{Record, SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::sql::sqlite::{Options, SqliteStore};
use cloakroom_test_servers::quick_place;
use rusqlite::Connection;
use tempfile::TempDir;

use super::conformance::connect;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

async fn create(store: &SqliteStore) -> Record {
    let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
    let answer = store.create(record.clone(), SubjectLimit::NONE, NOW).await;
    assert!(matches!(answer.unwrap(), Created::Done(_)));
    record
}

async fn kind_of(path: impl AsRef<Path>) -> ErrorKind {
    let opened = SqliteStore::connect(Options::at(path.as_ref())).await;
    opened.unwrap_err().kind()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_url_is_a_path_to_its_end() {
    let path = |url| Options::from_url(url).map(|options| options.path);
    assert_eq!(path("sqlite:a/b.db").unwrap(), Path::new("a/b.db"));
    assert_eq!(
        path("sqlite:/a?b=c#d%20").unwrap(),
        Path::new("/a?b=c#d%20")
    );
    for wrong in ["sqlite:", "sqlite", "embedded:a", ""] {
        assert!(path(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn only_its_owner_can_read_it() {
    let folder = TempDir::new_in(quick_place()).unwrap();
    // A name that SQLite itself would take for memory, and one that it would take for a URI.
    for name in [":memory:", "file:x?mode=memory"] {
        let parent = folder.path().join("made/for it");
        let file = parent.join(name);
        let store = connect(&file).await;
        let record = create(&store).await;
        assert_eq!(mode(&parent), 0o700);
        for end in ["", "-wal", "-shm"] {
            let mut path = file.clone().into_os_string();
            path.push(end);
            assert_eq!(mode(Path::new(&path)), 0o600, "{path:?}");
        }
        drop(store);
        let store = connect(&file).await;
        assert_eq!(
            *store.load(record.id).await.unwrap().unwrap().record,
            record
        );
    }
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_left_alone() {
    let folder = TempDir::new_in(quick_place()).unwrap();
    let at = |name| folder.path().join(name);
    assert_eq!(kind_of(folder.path()).await, ErrorKind::Denied, "a folder");
    std::fs::write(
        at("text"),
        "not a database, but long enough to be one ".repeat(50),
    )
    .unwrap();
    assert_eq!(kind_of(at("text")).await, ErrorKind::Corrupt);
    let other = Connection::open(at("other")).unwrap();
    other.execute_batch("CREATE TABLE sessions (a)").unwrap();
    assert_eq!(kind_of(at("other")).await, ErrorKind::Denied);
    drop(connect(at("newer")).await);
    let newer = Connection::open(at("newer")).unwrap();
    // A later release that only added something, and one that this release cannot share a file with.
    newer
        .pragma_update(None, "user_version", 1 << 16 | 9)
        .unwrap();
    create(&connect(at("newer")).await).await;
    newer
        .pragma_update(None, "user_version", 9 << 16 | 9)
        .unwrap();
    assert_eq!(kind_of(at("newer")).await, ErrorKind::Denied);
}

/// Processes that start together on a new file agree, and starting again changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_schema_is_made_once() {
    for _ in 0..5 {
        let folder = TempDir::new_in(quick_place()).unwrap();
        let file = folder.path().join("sessions.db");
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let file = file.clone();
            starting.spawn(async move { create(&connect(file).await).await.id });
        }
        let ids = starting.join_all().await;
        let store = connect(&file).await;
        for id in ids {
            assert!(store.load(id).await.unwrap().is_some());
        }
    }
}

/// S-16: whichever copy of a session's key rots, in the table or in the index, it is never "no such session".
#[tokio::test]
async fn a_damaged_key_is_not_a_logout() {
    for copy in 0..2 {
        let folder = TempDir::new_in(quick_place()).unwrap();
        let file = folder.path().join("sessions.db");
        let store = connect(&file).await;
        let mut ids: Vec<SessionId> = Vec::new();
        for _ in 0..20 {
            ids.push(create_anonymous(&store).await);
        }
        drop(store);
        let mut bytes = std::fs::read(&file).unwrap();
        let victim = ids[7];
        let places: Vec<usize> = (0..bytes.len() - 16)
            .filter(|at| bytes[*at..*at + 16] == *victim.as_bytes())
            .collect();
        assert_eq!(places.len(), 2, "one key in the table and one in its index");
        bytes[places[copy] + 15] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let store = connect(&file).await;
        match store.load(victim).await {
            Ok(found) => assert!(found.is_some(), "copy {copy}: a damaged key is a logout"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
        let change = samples::set("a", 1);
        let none = SubjectLimit::NONE;
        let answer = store
            .update(victim, Expect::Security(1), change, none, NOW)
            .await;
        let gone = matches!(answer, Ok(cloakroom_core::store::Updated::Gone));
        assert!(!gone, "copy {copy}: a damaged key is a logout for a writer");
    }
}

async fn create_anonymous(store: &SqliteStore) -> SessionId {
    let record = Sample::new(NOW).record();
    let id = record.id;
    let answer = store.create(record, SubjectLimit::NONE, NOW).await.unwrap();
    assert!(matches!(answer, Created::Done(_)));
    id
}

/// A file that was exchanged, as by a restored backup, is the one to use from then on; one that is gone is no empty
/// store.
#[tokio::test]
async fn a_file_that_was_exchanged_is_noticed() {
    let folder = TempDir::new_in(quick_place()).unwrap();
    let at = |name| folder.path().join(name);
    let store = connect(at("here/sessions.db")).await;
    let old = create(&store).await;
    let other = connect(at("there/sessions.db")).await;
    let restored = create(&other).await;
    drop(other);
    std::fs::rename(at("here"), at("away")).unwrap();
    let gone = store.load(old.id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Unavailable);
    assert_eq!(
        store.epoch().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    std::fs::rename(at("there"), at("here")).unwrap();
    let found = store.load(restored.id).await.unwrap();
    assert!(found.is_some(), "the file that is there is not read");
    let created = create(&store).await;
    drop(store);
    let store = connect(at("here/sessions.db")).await;
    assert!(
        store.load(created.id).await.unwrap().is_some(),
        "a write went elsewhere"
    );
}

/// Another process that keeps the file locked makes writes unavailable after the deadline, and reads go on.
#[tokio::test]
async fn a_writer_waits_for_another_process_until_its_deadline() {
    let folder = TempDir::new_in(quick_place()).unwrap();
    let file = folder.path().join("sessions.db");
    let mut options = Options::at(&file);
    options.deadline = Duration::from_secs(1);
    let store = SqliteStore::connect(options).await.unwrap();
    let record = create(&store).await;
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = store
        .create(Sample::new(NOW).record(), SubjectLimit::NONE, NOW)
        .await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(store.load(record.id).await.unwrap().is_some());
    other.execute_batch("ROLLBACK").unwrap();
    create(&store).await;
}
