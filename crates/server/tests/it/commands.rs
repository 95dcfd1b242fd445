//! Exit statuses, and one line on standard error.

use super::support::{Server, Setup};

#[test]
fn wrong_use_is_status_2() {
    let setup = Setup::new();
    for args in [
        &["nonsense"][..],
        &["key", "list"],
        &["user"],
        &["user", "add"],
        &["user", "add", "ada", "--password", "x"],
        &["api-key", "create", "n", "--scope", "everything"],
        &["session", "revoke"],
        &["session", "revoke", "x", "--subject", "y"],
        &["user", "list", "--server", "nowhere"],
        &["healthcheck", "--listen", "nowhere"],
        &[
            "user",
            "list",
            "--server",
            "http://192.0.2.1",
            "--api-key-file",
            "cloakroom.key",
        ],
    ] {
        std::fs::write(setup.path().join("cloakroom.key"), "k").unwrap();
        let output = setup.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn version_and_openapi_need_no_server() {
    let setup = Setup::new();
    let version = setup.run(&["--version"]);
    assert_eq!(
        String::from_utf8(version.stdout).unwrap(),
        format!("cloakroom {}\n", env!("CARGO_PKG_VERSION"))
    );
    let openapi = setup.run(&["openapi"]);
    assert!(
        serde_json::from_slice::<serde_json::Value>(&openapi.stdout).unwrap()["info"]["title"]
            == "Cloakroom"
    );
    assert!(
        std::fs::read_dir(setup.path()).unwrap().next().is_none(),
        "neither writes anything"
    );
}

#[tokio::test]
async fn health_is_an_exit_status() {
    let setup = Setup::new();
    let down = setup.run(&["healthcheck", "--listen", "127.0.0.1:1"]);
    assert_eq!(down.status.code(), Some(1));
    assert_eq!(String::from_utf8(down.stderr).unwrap().lines().count(), 1);
    let server = Server::start().await;
    let up = server.setup().run(&["healthcheck", "--json"]);
    assert_eq!(up.status.code(), Some(0));
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&up.stdout).unwrap()["ready"],
        true
    );
}

/// A path that is too long for a socket address is no reason to be without `control.sock`.
#[tokio::test]
async fn a_deep_data_directory_has_its_control_socket_too() {
    let setup = Setup::new().env("CLOAKROOM_DATA_DIR", format!("{}/d", "long".repeat(40)));
    let server = setup.start().await;
    assert_eq!(server.setup().run(&["healthcheck"]).status.code(), Some(0));
}

#[test]
fn a_misspelt_data_directory_is_told_and_not_made() {
    let setup = Setup::new();
    for args in [
        &["session", "revoke", "x"][..],
        &["user", "list"],
        &["api-key", "revoke", "x"],
    ] {
        let output = setup.run(&[args, &["--data-dir", "misspelt"]].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let told = "cloakroom: no server is running, and there is no data directory misspelt\n";
        assert_eq!(String::from_utf8(output.stderr).unwrap(), told, "{args:?}");
    }
    assert!(!setup.path().join("misspelt").exists());
}
