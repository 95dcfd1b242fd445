//! The suite on a primary with two replicas and three sentinels, shared by all cases: each has a prefix of its own.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cloakroom_conformance::{Fixture, Offered};
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::RedisStore;
use cloakroom_test_servers::redis::{MASTER, Sentinels};

use super::single::{flip, now, two};

fn group() -> &'static Sentinels {
    static GROUP: OnceLock<Sentinels> = OnceLock::new();
    GROUP.get_or_init(|| Sentinels::three::<&str>([]))
}

/// The URL of a group.
pub(super) fn url(group: &Sentinels, rest: &str) -> String {
    let sentinels: Vec<String> = group.addrs().iter().map(ToString::to_string).collect();
    format!("redis-sentinel://{}/{MASTER}?{rest}", sentinels.join(","))
}

struct Watched {
    prefix: String,
    offset: Arc<AtomicI64>,
    stores: [Arc<RedisStore>; 2],
}

async fn open(prefix: &str, offset: &Arc<AtomicI64>) -> [Arc<RedisStore>; 2] {
    let rest = format!("buckets=16&deadline=2s&durable=false&prefix={prefix}");
    two(&url(group(), &rest), offset).await
}

impl Fixture for Watched {
    type Store = RedisStore;
    type Registry = RedisStore;

    async fn open() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let prefix = format!("case{}:", COUNT.fetch_add(1, Ordering::Relaxed));
        let offset = Arc::default();
        let stores = open(&prefix, &offset).await;
        Self {
            prefix,
            offset,
            stores,
        }
    }

    fn store(&self) -> Arc<RedisStore> {
        Arc::clone(&self.stores[0])
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

    async fn damage(&mut self, id: SessionId) -> Offered {
        let client = redis::Client::open(format!("redis://{}", group().primary().addr())).unwrap();
        flip(&mut client.get_connection().unwrap(), &self.prefix, 16, id);
        self.stores = open(&self.prefix, &self.offset).await;
        Offered::Done
    }

    fn second_store(&self) -> Option<Arc<RedisStore>> {
        Some(Arc::clone(&self.stores[1]))
    }

    fn second_registry(&self) -> Option<Arc<RedisStore>> {
        self.second_store()
    }
}

cloakroom_conformance::suite!(Watched);
