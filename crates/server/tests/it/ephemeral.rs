//! `--ephemeral` writes nothing to disk at all.

use super::support::Setup;

#[tokio::test]
async fn nothing_is_written() {
    let mut server = Setup::new().arg("--ephemeral").start().await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    assert!(server.terminate().success());
    let left: Vec<_> = std::fs::read_dir(server.setup().path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn its_health_is_asked_over_its_listener() {
    let server = Setup::new().arg("--ephemeral").start().await;
    let setup = server.setup();
    assert_eq!(
        setup
            .run(&["healthcheck", "--listen", server.address()])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        setup
            .run(&["healthcheck", "--server", &server.url("")])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        setup
            .run(&["healthcheck", "--listen", "127.0.0.1:1"])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn a_store_on_disk_contradicts_it() {
    let (status, told) = Setup::new()
        .arg("--ephemeral")
        .arg("--store")
        .arg("embedded:x")
        .fail_to_serve();
    assert_eq!(status, 2, "{told}");
    assert!(told.contains("--ephemeral forbids that"), "{told}");
}
