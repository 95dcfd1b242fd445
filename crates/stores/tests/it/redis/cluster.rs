//! The suite on a Cluster of six, shared by all cases: each has a prefix of its own.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cloakroom_conformance::{Fixture, Offered};
use cloakroom_core::store::SubjectIndex as _;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_parallel_logins_leave_no_more_that_open() {
    let fixture = InCluster::open().await;
    super::limit::storm(&fixture.stores, fixture.now()).await;
}

/// The subject's not-befores lie in another slot than his sessions here.
#[tokio::test]
async fn a_revocation_holds_where_the_index_missed_a_session() {
    use super::missed::{of_ann, opens, three};
    let fixture = InCluster::open().await;
    let [store, second] = &fixture.stores;
    let now = fixture.now();
    for (app, wanted) in [
        (Some("shop"), [true, false, true]),
        (None, [false, false, true]),
    ] {
        let records = three(store, now).await;
        for record in &records {
            assert!(opens([store, second], record, now).await);
        }
        let index = format!("{}{{u:ann}}:ix", fixture.prefix);
        assert_eq!(cluster().primary_of(&index).cli(["del", &index]), "1");
        store.revoke_all(of_ann(app), None, now).await.unwrap();
        for (record, wanted) in records.iter().zip(wanted) {
            assert_eq!(opens([store, second], record, now).await, wanted, "{app:?}");
        }
    }
}
