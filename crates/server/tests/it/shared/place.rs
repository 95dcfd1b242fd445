//! The stores that servers can share, each with data of its own for a test; the servers behind them are shared by all tests.

use cloakroom_test_servers::{Mariadb, postgres::Postgres, redis::Redis};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Where the servers of one test keep everything.
pub(super) struct Place {
    pub(super) url: String,
    _folder: TempDir,
}

/// A new place of each kind.
pub(super) fn each() -> Vec<Place> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("shared_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    vec![
        #[cfg(feature = "files")]
        Place::new(|folder| format!("files:{folder}/shared?deadline=20s")),
        #[cfg(feature = "sqlite")]
        Place::new(|folder| format!("sqlite:{folder}/shared.db")),
        #[cfg(feature = "postgres")]
        Place::new(|_| {
            let address = Postgres::shared().address();
            let few = "read_connections=2&write_connections=3&deadline=20s";
            format!("postgres://postgres@{address}/postgres?schema={name}&{few}")
        }),
        #[cfg(feature = "mysql")]
        Place::new(|_| {
            let server = Mariadb::shared();
            server.sql(&format!("CREATE DATABASE {name}"));
            format!(
                "mysql://root@{}/{name}?connections=4&deadline=20s",
                server.addr()
            )
        }),
        #[cfg(feature = "redis")]
        Place::new(|_| {
            let address = redis().addr();
            format!("redis://{address}/0?prefix={name}:&deadline=20s")
        }),
    ]
}

#[cfg(feature = "redis")]
fn redis() -> &'static Redis {
    static SERVER: OnceLock<Redis> = OnceLock::new();
    SERVER.get_or_init(|| Redis::single(["--appendonly", "yes", "--appendfsync", "always"]))
}

impl Place {
    fn new(url: impl FnOnce(&str) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: url(folder.path().to_str().unwrap()),
            _folder: folder,
        }
    }
}
