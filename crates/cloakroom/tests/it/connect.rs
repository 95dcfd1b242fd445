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
