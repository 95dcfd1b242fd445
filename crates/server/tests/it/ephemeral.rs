//! `--ephemeral` writes nothing to disk at all.

use super::{
    people::{cookie, login, opens},
    support::Setup,
};
use std::{fs, os::unix::fs::PermissionsExt};

#[tokio::test]
async fn nothing_is_written() {
    let mut server = Setup::new().arg("--ephemeral").start().await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    assert!(server.terminate().success());
    let left: Vec<_> = std::fs::read_dir(server.setup().path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Not for want of trying: it runs as nobody, in a folder that it cannot write to, and may write no byte to any file; a
/// person logs in and out meanwhile.
#[tokio::test]
async fn it_needs_to_write_nothing() {
    let setup = Setup::new().arg("--ephemeral");
    let setup = setup.under(&["prlimit", "--fsize=0"]);
    let setup = match rustix::process::getuid().is_root() {
        true => setup.under(&[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]),
        false => setup,
    };
    fs::set_permissions(setup.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut server = setup.start().await;
    let told = server.stdout();
    let password = told.split("password ").nth(1).unwrap().trim();
    let response = login(&server, ("admin", password), "").send().await;
    let held = cookie(&response.unwrap());
    assert!(opens(&server, &held).await);
    let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    for file in files {
        let open = fs::read_link(file.unwrap().path()).unwrap_or_default();
        let is_kernels = open.starts_with("/dev") || open.starts_with("/proc");
        assert!(is_kernels || !open.is_file(), "{}", open.display());
    }
    assert!(server.terminate().success());
    assert_eq!(fs::read_dir(server.setup().path()).unwrap().count(), 0);
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
