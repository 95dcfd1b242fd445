//! The suite that every store passes, with a second handle, restarts of the server by kill -9, and a network that is cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_conformance::{Fixture, Offered};
use cloakroom_core::store::SubjectIndex as _;
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::sql::mysql::MysqlStore;
use cloakroom_test_servers::{Mariadb, Proxy};
use mysql_async::prelude::Queryable as _;

use super::server::{Database, InUse, alone, in_use};

struct OnServer {
    in_use: Option<InUse>,
    database: Database,
    proxy: Option<Proxy>,
    store: Option<Arc<MysqlStore>>,
    second: Option<Arc<MysqlStore>>,
}

impl OnServer {
    async fn start(&mut self) {
        let proxy = Proxy::start(Mariadb::shared().addr());
        let options = self.database.options(proxy.addr().port());
        self.store = Some(Arc::new(MysqlStore::connect(options).await.unwrap()));
        self.proxy = Some(proxy);
        self.second = Some(self.database.connect().await);
    }
}

impl Fixture for OnServer {
    type Store = MysqlStore;
    type Registry = MysqlStore;

    async fn open() -> Self {
        let in_use = in_use().await;
        let mut fixture = Self {
            in_use: Some(in_use),
            database: Database::make().await,
            proxy: None,
            store: None,
            second: None,
        };
        fixture.start().await;
        fixture
    }

    fn store(&self) -> Arc<MysqlStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn registry(&self) -> Option<Arc<MysqlStore>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        self.database.now()
    }

    async fn advance(&self, by: Duration) {
        self.database.advance(by);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        // Without a word: what is batched is not written.
        self.proxy.as_ref().unwrap().cut();
        self.store = None;
        self.second = None;
        self.in_use = None;
        let alone = alone().await;
        alone.restart(|| ()).await;
        drop(alone);
        self.in_use = Some(in_use().await);
        self.start().await;
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        let mut conn = self.database.raw().await;
        let sql = "UPDATE cloakroom_sessions SET record =
            INSERT(record, LENGTH(record) DIV 2, 1, CHAR(ORD(SUBSTR(record, LENGTH(record) DIV 2, 1)) ^ 1))
            WHERE id = ?";
        conn.exec_drop(sql, (id.as_bytes().to_vec(),))
            .await
            .unwrap();
        assert_eq!(conn.affected_rows(), 1);
        conn.disconnect().await.unwrap();
        Offered::Done
    }

    async fn cut_off(&mut self, off: bool) -> Offered {
        let proxy = self.proxy.as_ref().unwrap();
        if off {
            proxy.cut();
            return Offered::Done;
        }
        proxy.heal();
        let store = self.store();
        let deadline = Instant::now() + Duration::from_secs(20);
        while store.epoch().await.is_err() {
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Offered::Done
    }

    fn second_store(&self) -> Option<Arc<MysqlStore>> {
        self.second.clone()
    }

    fn second_registry(&self) -> Option<Arc<MysqlStore>> {
        self.second.clone()
    }
}

cloakroom_conformance::suite!(OnServer);
