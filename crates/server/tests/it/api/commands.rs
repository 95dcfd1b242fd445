//! The commands `user`, `api-key` and `session`: beside a running server, over the network, and with no server at all.

use super::client::{Api, text};
use crate::support::Setup;
use serde_json::{Value, json};

fn run(setup: &Setup, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    let output = setup.run(&args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn fail(setup: &Setup, args: &[&str]) -> String {
    let output = setup.run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

#[tokio::test]
async fn commands_go_through_the_control_socket_of_a_running_server() {
    let mut api = Api::start().await;
    let setup = api.server.setup().clone();
    let made = run(
        &setup,
        &["api-key", "create", "shop", "--scope", "sessions:read"],
    );
    assert_eq!(
        (&made["name"], &made["scopes"]),
        (&json!("shop"), &json!(["sessions:read"]))
    );
    let (id, token) = api.login("alice").await;
    let root = std::mem::replace(&mut api.key, text(&made, "key"));
    assert!(api.is_active(&token).await, "the key works at once");
    assert_eq!(run(&setup, &["session", "show", &id])["subject"], "alice");
    let listed = run(&setup, &["session", "list", "--subject", "alice"]);
    assert_eq!(listed["sessions"][0]["session_id"], json!(id));
    assert_eq!(run(&setup, &["session", "revoke", &id])["revoked"], 1);
    assert!(!api.is_active(&token).await);
    assert!(fail(&setup, &["session", "show", &id]).contains("no such session"));
    run(&setup, &["api-key", "revoke", "shop"]);
    assert_eq!(api.get("/v1/sessions").await.0, 401, "and is dead at once");
    api.key = root;
    let (_, one) = api.login("bob").await;
    assert_eq!(
        run(&setup, &["session", "revoke", "--subject", "bob"])["revoked"],
        1
    );
    assert!(!api.is_active(&one).await);
}

#[tokio::test]
async fn users_are_managed_over_the_network_with_a_key() {
    let api = Api::start().await;
    let setup = api.server.setup().clone();
    let base = api.server.url("");
    let far = ["--server", &base, "--api-key-file", "first.key"];
    let with = |args: &[&'static str]| run(&setup, &[args, &far[..]].concat());
    let added = with(&["user", "add", "ada", "--role", "staff"]);
    assert_eq!(added["name"], "ada");
    assert!(text(&added, "password").len() >= 16);
    let listed = with(&["user", "list"]);
    let ada = listed["users"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["name"] == "ada");
    assert_eq!(ada.unwrap()["roles"], json!(["staff"]));
    let (_, token) = api.login("ada").await;
    assert!(with(&["user", "passwd", "ada"])["password"].is_string());
    assert!(!api.is_active(&token).await);
    with(&["user", "disable", "ada"]);
    with(&["user", "remove", "ada"]);
    assert!(
        fail(&setup, &[&["user", "passwd", "ada"][..], &far].concat()).contains("no such user")
    );
    std::fs::write(setup.path().join("wrong.key"), "cr_wrong").unwrap();
    let wrong = [
        "user",
        "list",
        "--server",
        &base,
        "--api-key-file",
        "wrong.key",
    ];
    assert!(fail(&setup, &wrong).contains("API key"));
}

#[tokio::test]
async fn with_no_server_running_commands_open_the_data_directory() {
    let setup = Setup::new();
    let made = run(&setup, &["api-key", "create", "first", "--scope", "admin"]);
    assert!(fail(&setup, &["api-key", "create", "first", "--scope", "admin"]).contains("taken"));
    let api = Api {
        server: setup.start().await,
        key: text(&made, "key"),
    };
    let (id, token) = api.login("alice").await;
    assert!(api.is_active(&token).await);
    let Api { mut server, key } = api;
    assert!(server.terminate().success());
    let setup = server.setup().clone();
    assert_eq!(
        run(&setup, &["session", "list"])["sessions"][0]["session_id"],
        json!(id)
    );
    assert_eq!(
        run(&setup, &["session", "revoke", "--subject", "alice"])["revoked"],
        1
    );
    let api = Api {
        server: server.restart().await,
        key,
    };
    assert!(
        !api.is_active(&token).await,
        "what a command did holds in the server"
    );
}
