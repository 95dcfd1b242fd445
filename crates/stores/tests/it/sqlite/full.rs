//! A disk that is really full: a small file system in RAM, where the machine lets us mount one.

use std::path::{Path, PathBuf};
use std::process::Command;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{Created, Deleted, ErrorKind, Expect, Store as _, Updated};
use cloakroom_core::{SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::sql::sqlite::SqliteStore;
use tempfile::TempDir;

use super::conformance::connect;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Unmounted at the end, also of a test that fails.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "none"])
            .arg(at)
            .status();
        done.is_ok_and(|status| status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn create(store: &SqliteStore) -> Result<SessionId, ErrorKind> {
    let text = "x".repeat(20_000);
    let edits = samples::edits([("a", 1)]);
    let mut record = Sample::new(NOW).data(edits).record();
    record.device.user_agent = Some(text.into());
    let id = record.id;
    match store.create(record, SubjectLimit::NONE, NOW).await {
        Ok(Created::Done(_)) => Ok(id),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.kind()),
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let Some(small) = Small::mount(folder.path()) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let filler = folder.path().join("filler");
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let store = connect(folder.path().join("sessions.db")).await;
    let mut ids = Vec::new();
    let kind = loop {
        match create(&store).await {
            Ok(id) => ids.push(id),
            Err(kind) => break kind,
        }
    };
    assert_eq!(kind, ErrorKind::Full);
    assert!(ids.len() > 20, "only {} sessions fit", ids.len());
    // Reads go on; what was acknowledged is there, what was refused is not.
    for id in &ids {
        assert!(store.load(*id).await.unwrap().is_some());
    }
    let change = samples::set("b", 2);
    let expect = Expect::Version(1);
    let none = SubjectLimit::NONE;
    let answer = store
        .update(ids[0], expect, change.clone(), none, NOW)
        .await;
    assert!(matches!(answer, Err(ref error) if error.kind() == ErrorKind::Full) || answer.is_ok());
    std::fs::remove_file(&filler).unwrap();
    create(&store).await.unwrap();
    let answer = store.update(ids[1], expect, change, none, NOW).await;
    assert!(matches!(answer.unwrap(), Updated::Done { .. }));
    assert!(matches!(
        store.delete(ids[2]).await.unwrap(),
        Deleted::Done(_)
    ));
    drop(store);
    let store = connect(folder.path().join("sessions.db")).await;
    for id in ids.iter().skip(3) {
        assert!(store.load(*id).await.unwrap().is_some());
    }
    drop(store);
    drop(small);
}
