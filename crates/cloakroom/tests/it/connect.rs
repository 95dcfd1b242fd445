//! Stores by URL.

use cloakroom::connect;

#[tokio::test]
async fn a_memory_url_is_a_store() {
    let sessions = connect("memory:?reserve=1MiB&full=reject").await.unwrap();
    assert_eq!(sessions.store().profile().name, "memory");
}

#[tokio::test]
async fn an_unknown_store_says_what_there_is() {
    let error = connect("etcd://somewhere").await.unwrap_err();
    assert!(error.to_string().contains("memory, embedded"), "{error}");
}

#[cfg(feature = "embedded")]
#[tokio::test]
async fn an_embedded_store_is_there_again_after_a_restart() {
    use cloakroom::core::lifecycle::Begin;
    use cloakroom::service::Verified;

    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded:{}", folder.path().join("store").display());
    let sessions = connect(&url).await.unwrap();
    assert!(
        connect(&url).await.is_err(),
        "two processes cannot have it open"
    );
    let token = sessions.create(&Begin::default()).await.unwrap().token;
    drop(sessions);
    let sessions = connect(&url).await.unwrap();
    assert!(matches!(
        sessions.verify(&token, false).await.unwrap(),
        Verified::Active(_)
    ));
}

#[cfg(feature = "embedded")]
#[tokio::test]
async fn memory_goes_on_on_disk_where_it_is_full() {
    use cloakroom::core::lifecycle::Begin;
    use cloakroom::service::Verified;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overflow");
    let url = format!("memory:?max_sessions=1&overflow={}", path.display());
    let sessions = connect(&url).await.unwrap();
    for _ in 0..20 {
        let token = sessions.create(&Begin::default()).await.unwrap().token;
        let verified = sessions.verify(&token, false).await.unwrap();
        assert!(matches!(verified, Verified::Active(_)));
    }
    assert!(path.is_dir());
}

#[cfg(feature = "files")]
#[tokio::test]
async fn a_near_cache_stands_before_any_store_that_is_shared() {
    use cloakroom::core::lifecycle::Begin;
    use cloakroom::service::{Cause, Verified};

    let folder = tempfile::tempdir().unwrap();
    let url = format!("files:{}", folder.path().join("sessions").display());
    let near = connect(&format!("{url}?near_cache=1MiB")).await.unwrap();
    assert!(near.store().may_lag());
    let far = connect(&url).await.unwrap();
    assert!(!far.store().may_lag());
    let started = far.create(&Begin::default()).await.unwrap();
    let verified = near.verify(&started.token, false).await.unwrap();
    assert!(matches!(verified, Verified::Active(_)));
    near.end(started.record.id, Cause::Revoked).await.unwrap();
    let verified = far.verify(&started.token, false).await.unwrap();
    assert!(matches!(verified, Verified::Inactive(_)));
}
