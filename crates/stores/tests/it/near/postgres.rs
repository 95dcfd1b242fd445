//! Two nodes on a real PostgreSQL, which tells what is ended and revoked.

use std::time::Instant;

use cloakroom_conformance::Fixture as _;
use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::store::{LAG, Scope, Store as _, SubjectIndex as _};
use cloakroom_core::{SessionId, SubjectLimit};
use cloakroom_stores::near_cache::NearCache;
use cloakroom_stores::sql::postgres::PostgresStore;

use crate::postgres::conformance::OnServer;

/// How long after `end` the session that was near is denied. Asked again and again, so that it is near all the time.
async fn denied_after(
    near: &NearCache<PostgresStore>,
    id: SessionId,
    end: impl Future<Output = ()>,
) -> std::time::Duration {
    let opens = async || {
        let loaded = near.load(id).await.unwrap();
        loaded.is_some_and(|loaded| loaded.record.security.admitted >= loaded.not_before)
    };
    assert!(opens().await);
    end.await;
    let ended = Instant::now();
    while opens().await {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    ended.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_tells_what_another_node_ends_and_revokes() {
    let fixture = OnServer::open().await;
    let far = fixture.second_store().unwrap();
    let near = NearCache::told_by(fixture.store(), 1 << 20);
    // Without a word a session is denied when its second is over. Of some tries on a busy machine, one that is much faster
    // shows that the word arrives.
    let mut fastest = [LAG; 2];
    for number in 0..10 {
        let subject = format!("s{number}");
        let mut ids = Vec::new();
        let epoch = far.epoch().await.unwrap();
        for _ in 0..2 {
            let record = Sample::new(fixture.now()).of(&subject, epoch).record();
            ids.push(record.id);
            let created = far.create(record, SubjectLimit::NONE, fixture.now());
            created.await.unwrap();
        }
        let end = async {
            far.delete(ids[0]).await.unwrap();
        };
        fastest[0] = fastest[0].min(denied_after(&near, ids[0], end).await);
        let revoke = async {
            let scope = Scope::Subject {
                app: None,
                subject: samples::subject(&subject),
            };
            far.revoke_all(scope, None, fixture.now()).await.unwrap();
        };
        fastest[1] = fastest[1].min(denied_after(&near, ids[1], revoke).await);
        println!("{fastest:?}");
        if fastest.iter().all(|fastest| *fastest < LAG / 4) {
            return;
        }
    }
    panic!("nothing is told: {fastest:?}");
}
