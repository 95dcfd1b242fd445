//! The stores that servers can share, each with data of its own for a test.

use tempfile::TempDir;

/// Where the servers of one test keep everything.
pub(super) struct Place {
    pub(super) url: String,
    _folder: TempDir,
}

/// A new place of each kind.
pub(super) fn each() -> Vec<Place> {
    vec![
        #[cfg(feature = "files")]
        Place::below("files:", "shared"),
        #[cfg(feature = "sqlite")]
        Place::below("sqlite:", "shared.db"),
    ]
}

impl Place {
    fn below(scheme: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("{scheme}{}", folder.path().join(name).display()),
            _folder: folder,
        }
    }
}
