//! The server that all cases share, and a database of its own for each.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_stores::sql::mysql::{MysqlStore, Options};
use cloakroom_test_servers::mariadb::{Mariadb, PASSWORD_IN_URL, USER};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Who restarts the server waits until nobody else uses it.
fn turnstile() -> Arc<RwLock<()>> {
    static LOCK: OnceLock<Arc<RwLock<()>>> = OnceLock::new();
    Arc::clone(LOCK.get_or_init(Arc::default))
}

/// The server, in use: it is not restarted as long as this is held.
pub(super) struct InUse {
    _guard: OwnedRwLockReadGuard<()>,
}

pub(super) async fn in_use() -> InUse {
    InUse {
        _guard: turnstile().read_owned().await,
    }
}

/// The server without anybody who uses it.
pub(super) struct Alone {
    _guard: OwnedRwLockWriteGuard<()>,
}

pub(super) async fn alone() -> Alone {
    Alone {
        _guard: turnstile().write_owned().await,
    }
}

impl Alone {
    /// Kills the server and starts it again; answers what `meanwhile` did.
    pub(super) async fn restart<T: Send + 'static>(
        &self,
        meanwhile: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let restart = || {
            Mariadb::shared().kill();
            let done = meanwhile();
            Mariadb::shared().start();
            done
        };
        tokio::task::spawn_blocking(restart).await.unwrap()
    }
}

/// A database of its own, and the clock of those who use it.
pub(super) struct Database {
    pub(super) name: String,
    pub(super) offset: Arc<AtomicI64>,
}

impl Database {
    pub(super) async fn make() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("d{}", COUNT.fetch_add(1, Ordering::Relaxed));
        // Starting it may take a while.
        tokio::task::spawn_blocking(|| Mariadb::shared().addr())
            .await
            .unwrap();
        let mut conn = connection(None).await;
        let sql = format!("CREATE DATABASE {name}");
        conn.query_drop(sql).await.unwrap();
        conn.disconnect().await.unwrap();
        Self {
            name,
            offset: Arc::default(),
        }
    }

    pub(super) fn url(&self, port: u16) -> String {
        let name = &self.name;
        format!("mysql://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{port}/{name}")
    }

    /// For a handle whose server is reached by `port`.
    pub(super) fn options(&self, port: u16) -> Options {
        let mut options = Options::from_url(&self.url(port)).unwrap();
        options.clock_offset = Arc::clone(&self.offset);
        // Many tests share one slow disk; no case judges how long an operation takes.
        options.deadline = Duration::from_secs(20);
        options.connections = 4;
        options
    }

    pub(super) async fn connect(&self) -> Arc<MysqlStore> {
        let options = self.options(Mariadb::shared().addr().port());
        Arc::new(MysqlStore::connect(options).await.unwrap())
    }

    /// A connection past the store.
    pub(super) async fn raw(&self) -> Conn {
        connection(Some(&self.name)).await
    }

    pub(super) fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap().as_millis()).unwrap();
        Timestamp::from_millis(now + self.offset.load(Ordering::SeqCst))
    }

    pub(super) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.offset.fetch_add(by, Ordering::SeqCst);
    }
}

async fn connection(database: Option<&str>) -> Conn {
    let server = Mariadb::shared().addr();
    let options = OptsBuilder::default()
        .ip_or_hostname(server.ip().to_string())
        .tcp_port(server.port())
        .prefer_socket(false)
        .user(Some(USER))
        .pass(Some(cloakroom_test_servers::mariadb::PASSWORD))
        .db_name(database);
    Conn::new(options).await.unwrap()
}
