//! The suite that every store passes, on a server far from UTC, with a second handle as another node would have it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use cloakroom_conformance::{Fixture, Offered};
use cloakroom_core::store::{ReplayGuard as _, Scope, Store as _, SubjectIndex as _};
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::sql::postgres::{Options, PostgresStore};
use cloakroom_test_servers::Proxy;
use cloakroom_test_servers::postgres::Postgres;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::kit::{administer, new_schema, url};

/// Whoever uses the server holds it for reading; whoever restarts it, for writing.
pub(crate) static IN_USE: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// A schema of its own on the shared server.
pub(crate) struct OnServer {
    schema: String,
    proxy: Proxy,
    store: Option<Arc<PostgresStore>>,
    second: OnceLock<Arc<PostgresStore>>,
    offset: Arc<AtomicI64>,
    using: Option<OwnedRwLockReadGuard<()>>,
}

impl OnServer {
    fn options(&self, address: std::net::SocketAddr) -> Options {
        let mut options = Options::from_url(&url(address, &self.schema)).unwrap();
        // Other tests load this machine as well.
        options.deadline = Duration::from_secs(20);
        options.clock_offset = Arc::clone(&self.offset);
        options
    }

    async fn connect(&mut self) {
        let store = PostgresStore::connect(self.options(self.proxy.addr())).await;
        self.store = Some(Arc::new(store.unwrap()));
    }
}

impl Fixture for OnServer {
    type Store = PostgresStore;
    type Registry = PostgresStore;

    async fn open() -> Self {
        let using = Arc::clone(&IN_USE).read_owned().await;
        let server = tokio::task::block_in_place(Postgres::shared);
        let mut fixture = Self {
            schema: new_schema(),
            proxy: Proxy::start(server.address()),
            store: None,
            second: OnceLock::new(),
            offset: Arc::default(),
            using: Some(using),
        };
        fixture.connect().await;
        fixture
    }

    fn store(&self) -> Arc<PostgresStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn registry(&self) -> Option<Arc<PostgresStore>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = i64::try_from(since.unwrap().as_millis()).unwrap();
        Timestamp::from_millis(millis + self.offset.load(Ordering::Relaxed))
    }

    async fn advance(&self, by: Duration) {
        // More than a second passes, so what waits that long is written.
        self.store().flush().await.unwrap();
        if let Some(second) = self.second.get() {
            second.flush().await.unwrap();
        }
        let by = i64::try_from(by.as_millis()).unwrap();
        self.offset.fetch_add(by, Ordering::Relaxed);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        self.store = None;
        self.second = OnceLock::new();
        self.using = None;
        let restarting = IN_USE.write().await;
        tokio::task::block_in_place(|| Postgres::shared().restart());
        drop(restarting);
        self.using = Some(Arc::clone(&IN_USE).read_owned().await);
        self.connect().await;
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        use std::fmt::Write as _;
        let hex = id.as_bytes().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let middle = "length(record) / 2";
        let flip = format!(
            "UPDATE {}.sessions SET record = set_byte(record, {middle}, get_byte(record, {middle}) # 1) \
             WHERE id = '\\x{hex}'",
            self.schema
        );
        administer(Postgres::shared(), &flip).await;
        Offered::Done
    }

    async fn cut_off(&mut self, off: bool) -> Offered {
        let store = self.store();
        if off {
            self.proxy.cut();
            return Offered::Done;
        }
        self.proxy.heal();
        // It comes back by itself, a connection of each purpose.
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.now();
            let read = store.epoch().await.is_ok();
            let written = store.first_seen(b"back", now, now).await.is_ok();
            let listed = store.list(Scope::Everything, None, 1, now).await.is_ok();
            if read && written && listed {
                return Offered::Done;
            }
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn second_store(&self) -> Option<Arc<PostgresStore>> {
        let open = || {
            let options = self.options(Postgres::shared().address());
            let connect = PostgresStore::connect(options);
            let runtime = tokio::runtime::Handle::current();
            Arc::new(tokio::task::block_in_place(|| runtime.block_on(connect)).unwrap())
        };
        Some(Arc::clone(self.second.get_or_init(open)))
    }

    fn second_registry(&self) -> Option<Arc<PostgresStore>> {
        self.second_store()
    }
}

cloakroom_conformance::suite!(OnServer);
