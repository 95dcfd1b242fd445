//! The suite that every store passes, on one server that appends every write to its disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cloakroom_conformance::{Fixture, Offered};
use cloakroom_core::store::SubjectIndex as _;
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::RedisStore;
use cloakroom_stores::redis::Options;
use cloakroom_test_servers::redis::{DURABLE, Redis};

/// Each has a server of its own: one starts in a moment.
pub(super) struct Single {
    server: Redis,
    offset: Arc<AtomicI64>,
    stores: Option<[Arc<RedisStore>; 2]>,
}

/// The time that a store with this offset judges by.
pub(super) fn now(offset: &AtomicI64) -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(since.as_millis()).unwrap();
    Timestamp::from_millis(now + offset.load(Ordering::SeqCst))
}

/// Two handles, as two processes would have them.
pub(super) async fn two(url: &str, offset: &Arc<AtomicI64>) -> [Arc<RedisStore>; 2] {
    let connect = || async {
        let mut options = Options::from_url(url).unwrap();
        options.clock_offset = Arc::clone(offset);
        Arc::new(RedisStore::connect(options).await.unwrap())
    };
    [connect().await, connect().await]
}

/// Turns one bit in the stored row of `id`, somewhere in its record.
pub(super) fn flip(connection: &mut redis::Connection, prefix: &str, buckets: u32, id: SessionId) {
    let bytes = id.as_bytes();
    let place = u32::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let key = format!("{prefix}{{s:{:04x}}}:r:{id}", (place * buckets) >> 16);
    let row: Vec<u8> = redis::cmd("GET").arg(&key).query(connection).unwrap();
    let middle = row.len() / 2;
    let byte = [row[middle] ^ 1];
    let mut cmd = redis::cmd("SETRANGE");
    let written: usize = cmd
        .arg(&key)
        .arg(middle)
        .arg(&byte)
        .query(connection)
        .unwrap();
    assert_eq!(written, row.len());
}

impl Single {
    fn url(&self) -> String {
        format!("redis://{}?buckets=16&deadline=2s", self.server.addr())
    }

    /// The subjects' indexes and the queues of deadlines are gone, as after a failover that lost them.
    pub(super) fn lose_indexes(&self) {
        for key in self.server.cli(["keys", "*"]).lines() {
            if key.ends_with(":ix") || key.ends_with(":due") {
                self.server.cli(["del", key]);
            }
        }
    }

    /// The server gives the key of a session back.
    pub(super) fn expire(&self, id: SessionId) {
        let keys = self.server.cli(["keys", "*:r:*"]);
        let key = keys.lines().find(|key| key.ends_with(&id.to_string()));
        assert_eq!(self.server.cli(["pexpire", key.unwrap(), "-1"]), "1");
    }

    /// How many sessions stand in the index of a subject.
    pub(super) fn entries(&self, subject: &str) -> usize {
        let index = format!("cloakroom:{{u:{subject}}}:ix");
        let fields: usize = self.server.cli(["hlen", &index]).parse().unwrap();
        // One field is the latest hard cap.
        fields.saturating_sub(1)
    }

    async fn reopen(&mut self) {
        self.stores = None;
        self.stores = Some(two(&self.url(), &self.offset).await);
    }
}

impl Fixture for Single {
    type Store = RedisStore;
    type Registry = RedisStore;

    async fn open() -> Self {
        let mut fixture = Self {
            server: Redis::single(DURABLE),
            offset: Arc::default(),
            stores: None,
        };
        fixture.reopen().await;
        fixture
    }

    fn store(&self) -> Arc<RedisStore> {
        Arc::clone(&self.stores.as_ref().unwrap()[0])
    }

    fn registry(&self) -> Option<Arc<RedisStore>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        now(&self.offset)
    }

    async fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.offset.fetch_add(by, Ordering::SeqCst);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        self.stores = None;
        self.server.kill();
        self.server.start();
        self.reopen().await;
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        let client = redis::Client::open(format!("redis://{}", self.server.addr())).unwrap();
        flip(&mut client.get_connection().unwrap(), "cloakroom:", 16, id);
        // Past what the handles remember.
        self.reopen().await;
        Offered::Done
    }

    async fn cut_off(&mut self, off: bool) -> Offered {
        if off {
            self.server.kill();
            return Offered::Done;
        }
        self.server.start();
        for store in self.stores.as_ref().unwrap() {
            until_back(store).await;
        }
        Offered::Done
    }

    fn second_store(&self) -> Option<Arc<RedisStore>> {
        Some(Arc::clone(&self.stores.as_ref().unwrap()[1]))
    }

    fn second_registry(&self) -> Option<Arc<RedisStore>> {
        self.second_store()
    }
}

/// It comes back by itself, though nobody asks for anything else.
pub(super) async fn until_back(store: &RedisStore) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.epoch().await.is_err() {
        assert!(Instant::now() < deadline, "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

cloakroom_conformance::suite!(Single);
