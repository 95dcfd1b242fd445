//! The server stops, is killed, and starts again.

use super::support::{Server, Setup, poll};
use rustix::process::Signal;

#[tokio::test]
async fn sigterm_and_sigint_end_it_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start().await;
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        assert!(!server.setup().data_dir().join("control.sock").exists());
    }
}

#[tokio::test]
async fn it_starts_again_after_a_kill() {
    let mut server = Server::start().await;
    server.kill9();
    assert!(
        server.setup().data_dir().join("control.sock").exists(),
        "a kill leaves the socket behind"
    );
    let server = server.restart().await;
    assert_eq!(server.setup().run(&["healthcheck"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_second_server_on_the_same_data_directory_is_refused() {
    let server = Server::start().await;
    let (status, told) = server.setup().fail_to_serve();
    assert_eq!(status, 1);
    assert_eq!(
        told,
        format!(
            "cloakroom: the data directory cloakroom-data is in use by process {}\n",
            server.pid()
        )
    );
    // The refused one must not have taken anything with it.
    assert_eq!(server.setup().run(&["healthcheck"]).status.code(), Some(0));
}

#[tokio::test]
async fn an_address_in_use_is_told_in_one_line() {
    let server = Server::start().await;
    let (status, told) = Setup::new()
        .arg("--listen")
        .arg(server.address())
        .fail_to_serve();
    assert_eq!(status, 1);
    let expected = format!(
        "cloakroom: cannot listen on {}: Address already in use",
        server.address()
    );
    assert!(
        told.starts_with(&expected) && told.lines().count() == 1,
        "{told}"
    );
}

#[tokio::test]
async fn sighup_reads_the_log_level_anew() {
    let server = Setup::new()
        .config("[log]\nlevel = \"info\"\n")
        .start()
        .await;
    server.get("/livez").await;
    assert!(!server.stderr().contains("answered"), "{}", server.stderr());
    std::fs::write(
        server.setup().path().join("cloakroom.toml"),
        "[log]\nlevel = \"debug\"\n",
    )
    .unwrap();
    server.signal(Signal::HUP);
    poll("the new level", || {
        server.stderr().contains("read anew").then_some(())
    });
    server.get("/livez").await;
    poll("a debug line", || {
        server.stderr().contains("answered").then_some(())
    });
    std::fs::write(
        server.setup().path().join("cloakroom.toml"),
        "[log]\nlevel = 5\n",
    )
    .unwrap();
    server.signal(Signal::HUP);
    poll("the fault", || {
        server
            .stderr()
            .contains("cloakroom.toml:2: log.level")
            .then_some(())
    });
    assert_eq!(server.get("/livez").await.status(), 200);
}
