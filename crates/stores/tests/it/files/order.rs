//! S-15, for the power too: in which order things are synced. What is answered was synced before, the file and then the
//! folder that names it; a state never points to a content that is not synced.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use cloakroom_stores::files::hook::{Hook, Moment};

use super::steps::{VERBS, Verb, ask, base};
use super::{folder, open_with};

/// What a cut of the power would take.
#[derive(Default)]
struct Unsynced {
    /// Files whose bytes are not synced.
    files: BTreeSet<String>,
    /// Folders in which a name is not.
    folders: BTreeSet<String>,
    wrong: Vec<String>,
}

fn parent(path: &str) -> String {
    path.rsplit_once('/')
        .map_or(".", |(parent, _)| parent)
        .into()
}

impl Unsynced {
    fn see(&mut self, name: &str, path: &str) {
        match name {
            "write" => drop(self.files.insert(path.into())),
            "sync" => drop(self.files.remove(path)),
            "sync folder" => drop(self.folders.remove(path)),
            "sync all" => self.folders.clear(),
            "create" | "mkdir" | "link" => drop(self.folders.insert(parent(path))),
            "rename" => {
                if !self.files.is_empty() {
                    self.wrong.push(format!("{path} before {:?}", self.files));
                }
                // What is moved out of sight, or made there, means nothing.
                let made = self.folders.iter().find(|folder| folder.starts_with("t/"));
                if let Some(made) = made {
                    self.wrong.push(format!("{path} before {made}"));
                }
                if !path.starts_with("t/") {
                    self.folders.insert(parent(path));
                }
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_15_what_is_answered_was_synced_in_order() {
    for verb in VERBS {
        // A touch may be lost, and an end that a sweep found may be found again.
        if matches!(verb, Verb::Touch | Verb::Sweep) {
            continue;
        }
        let folder = folder();
        let base = base(folder.path()).await;
        let unsynced = Arc::new(Mutex::new(Unsynced::default()));
        let seen = Arc::clone(&unsynced);
        let hook = Hook::new(move |step| {
            if step.moment == Moment::After {
                seen.lock().unwrap().see(step.name, step.path);
            }
            Ok(())
        });
        let store = open_with(folder.path(), hook).await;
        *unsynced.lock().unwrap() = Unsynced::default();
        ask(&store, &base, verb).await.unwrap();
        let unsynced = unsynced.lock().unwrap();
        assert!(unsynced.wrong.is_empty(), "{verb:?}: {:?}", unsynced.wrong);
        assert!(unsynced.files.is_empty(), "{verb:?}: {:?}", unsynced.files);
        // That a login was carried out may be forgotten: it is then looked at once more.
        let folders = unsynced.folders.iter();
        let left: Vec<_> = folders
            .filter(|folder| *folder != "t" && !folder.starts_with("g/"))
            .collect();
        assert!(left.is_empty(), "{verb:?} is answered before {left:?}");
    }
}
