//! Lists and revocations of many sessions.

use super::client::Api;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_list_comes_in_pages_each_session_once() {
    for api in Api::on_each_store().await {
        for _ in 0..7 {
            api.login("alice").await;
        }
        api.login("bob").await;
        let (mut seen, mut path) = (Vec::new(), "/v1/sessions?subject=alice&limit=3".to_owned());
        loop {
            let (status, page) = api.get(&path).await;
            assert_eq!(status, 200, "{page}");
            for session in page["sessions"].as_array().unwrap() {
                assert_eq!(session["subject"], "alice");
                seen.push(session["session_id"].as_str().unwrap().to_owned());
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/v1/sessions?subject=alice&limit=3&cursor={cursor}");
        }
        assert_eq!(seen.len(), 7);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7);
        for wrong in ["limit=0", "limit=501", "limit=x", "cursor=x", "unknown=1"] {
            assert_eq!(
                api.get(&format!("/v1/sessions?{wrong}")).await.0,
                400,
                "{wrong}"
            );
        }
    }
}

#[tokio::test]
async fn revoking_a_subject_spares_one_session_and_other_people() {
    for api in Api::on_each_store().await {
        let (kept_id, kept) = api.login("alice").await;
        let (_, ended) = api.login("alice").await;
        let (_, bob) = api.login("bob").await;
        let (status, told) = api
            .delete(&format!("/v1/subjects/alice/sessions?except={kept_id}"))
            .await;
        assert_eq!((status, &told["revoked"]), (200, &json!(1)));
        assert!(
            api.is_active(&kept).await && api.is_active(&bob).await && !api.is_active(&ended).await
        );
        let (status, told) = api
            .send(Method::POST, "/v1/sessions/revoke-all", &json!({}))
            .await;
        assert_eq!((status, &told["revoked"]), (200, &json!(2)));
        assert!(!api.is_active(&kept).await && !api.is_active(&bob).await);
        let (_, new) = api.login("alice").await;
        assert!(
            api.is_active(&new).await,
            "who logs in after a revocation is in"
        );
    }
}

/// OW-17: at most 32 sessions a subject, the oldest ends; also under parallel logins.
#[tokio::test]
async fn ow_17_the_oldest_session_ends_beyond_the_limit() {
    for api in Api::on_each_store().await {
        let (_, oldest) = api.login("alice").await;
        let logins = (0..40).map(|_| api.login("alice"));
        futures_join(logins).await;
        let (_, listed) = api.get("/v1/sessions?subject=alice&limit=500").await;
        assert_eq!(listed["sessions"].as_array().unwrap().len(), 32);
        assert!(!api.is_active(&oldest).await);
    }
}

async fn futures_join<F: Future>(all: impl IntoIterator<Item = F>) {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
