//! The suite on a Cluster of six, shared by all cases: each has a prefix of its own.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cloakroom_conformance::{Fixture, Offered};
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::RedisStore;
use cloakroom_test_servers::redis::Cluster;

use super::single::{flip, now, two};

/// The one that all cases share; whoever kills nodes has one of his own.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::six_nodes::<&str>([]))
}

/// The URL of a Cluster.
pub(super) fn url(cluster: &Cluster, rest: &str) -> String {
    let nodes: Vec<String> = cluster.addrs().iter().map(ToString::to_string).collect();
    format!("redis-cluster://{}?{rest}", nodes.join(","))
}

struct InCluster {
    prefix: String,
    offset: Arc<AtomicI64>,
    stores: [Arc<RedisStore>; 2],
}

/// Declares no durability: a whole Cluster is not killed for each case.
async fn open(prefix: &str, offset: &Arc<AtomicI64>) -> [Arc<RedisStore>; 2] {
    let rest = format!("buckets=16&deadline=2s&durable=false&prefix={prefix}");
    two(&url(cluster(), &rest), offset).await
}

impl Fixture for InCluster {
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
        let bytes = id.as_bytes();
        let place = u32::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let node = cluster().primary_of(&format!("{{s:{:04x}}}", (place * 16) >> 16));
        let client = redis::Client::open(format!("redis://{}", node.addr())).unwrap();
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

cloakroom_conformance::suite!(InCluster);
