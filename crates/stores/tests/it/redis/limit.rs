//! The limit of sessions, counted by what opens and not by what is listed.

use std::sync::Arc;

use cloakroom_conformance::Fixture;
use cloakroom_conformance::samples::{Sample, subject};
use cloakroom_core::policy::OnFull;
use cloakroom_core::store::{Created, Refusal, Scope, Store as _, SubjectIndex as _};
use cloakroom_core::{SubjectLimit, Timestamp};
use cloakroom_stores::RedisStore;

use super::single::Single;
use crate::soak;

/// Parallel logins from two handles; as many as allowed are left, and those are listed.
pub(super) async fn storm(handles: &[Arc<RedisStore>; 2], now: Timestamp) {
    let epoch = handles[0].epoch().await.unwrap();
    for round in 0..soak(15, 300) {
        let name = format!("ann {round}");
        let on_full = [OnFull::EndOldest, OnFull::Deny][round % 2];
        let limit = SubjectLimit {
            max: Some(3),
            on_full,
        };
        let records: Vec<_> = (0..16)
            .map(|_| Sample::new(now).of(&name, epoch).record())
            .collect();
        let logins = records.iter().enumerate().map(|(number, record)| {
            let store = Arc::clone(&handles[number % 2]);
            let record = record.clone();
            tokio::spawn(async move { store.create(record, limit, now).await.unwrap() })
        });
        for answer in futures_util::future::join_all(logins).await {
            let answer = answer.unwrap();
            let fits = matches!(
                answer,
                Created::Done(_) | Created::Refused(Refusal::TooManySessions)
            );
            assert!(fits, "{answer:?}");
        }
        let mut open = Vec::new();
        for record in &records {
            if handles[0].load(record.id).await.unwrap().is_some() {
                open.push(record.id);
            }
        }
        assert_eq!(open.len(), 3, "sessions that open ({on_full:?})");
        open.sort_unstable();
        let scope = Scope::Subject {
            app: None,
            subject: subject(&name),
        };
        let listed = handles[1].list(scope, None, 100, now).await.unwrap();
        let listed: Vec<_> = listed.records.iter().map(|record| record.id).collect();
        assert_eq!(listed, open, "sessions that are listed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_parallel_logins_leave_no_more_that_open() {
    let fixture = Single::open().await;
    let handles = [fixture.store(), fixture.second_store().unwrap()];
    storm(&handles, fixture.now()).await;
}
