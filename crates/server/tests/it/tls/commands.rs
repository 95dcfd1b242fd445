//! Commands beside and towards an https server.

use super::{Authority, FILES, setup, start};
use crate::support::Setup;

/// Exit status and standard error.
fn run(setup: &Setup, args: &[&str]) -> (i32, String) {
    let output = setup.run(args);
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), told)
}

#[tokio::test]
async fn a_command_trusts_the_authority_that_it_is_given_and_no_other() {
    let (server, _) = start("[bootstrap]\napi_key_file = \"first.key\"\n").await;
    let setup = server.setup().clone();
    let base = server.url("");
    let far = [
        "user",
        "list",
        "--server",
        &base,
        "--api-key-file",
        "first.key",
    ];
    let with = |ca: &str| run(&setup, &[&far[..], &["--ca-file", ca]].concat());
    assert_eq!(with("ca.pem"), (0, String::new()));
    let by_env = setup.clone().env("CLOAKROOM_CA_FILE", "ca.pem");
    assert_eq!(run(&by_env, &far), (0, String::new()));
    std::fs::write(setup.path().join("other.pem"), Authority::new().pem()).unwrap();
    for (outcome, why) in [
        (run(&setup, &far), "the server cannot be reached: "),
        (with("other.pem"), "the server cannot be reached: "),
        (with("missing.pem"), "--ca-file: missing.pem: cannot read: "),
        (with("key.pem"), "--ca-file: key.pem: holds no certificate"),
    ] {
        assert_eq!(outcome.0, 1, "{outcome:?}");
        assert!(
            outcome.1.contains(why) && outcome.1.lines().count() == 1,
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn healthcheck_asks_an_https_listener() {
    let authority = Authority::new();
    let server = setup(&authority, "").arg("--ephemeral").start().await;
    let listen = ["healthcheck", "--listen", server.address()];
    assert_eq!(run(server.setup(), &listen), (0, String::new()));
    let base = server.url("");
    let far = ["healthcheck", "--server", &base, "--ca-file", "ca.pem"];
    assert_eq!(run(server.setup(), &far), (0, String::new()));
    assert_eq!(run(server.setup(), &far[..3]).0, 1, "an unknown authority");
}

#[test]
fn check_config_reads_the_pair_and_names_the_key_to_blame() {
    let authority = Authority::new();
    let setup = setup(&authority, "[server]\nlisten = \"127.0.0.1:7878\"\n");
    let output = setup.run(&["check-config"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("cloakroom.toml: valid; the certificate holds until 4096"),
        "{told}"
    );
    let file = |text: &str| std::fs::write(setup.path().join("cloakroom.toml"), text).unwrap();
    let good = FILES.to_owned();
    for (text, why) in [
        (
            good.replace("key.pem", "none.pem"),
            "cloakroom.toml:3: server.tls.key_file: cannot read none.pem",
        ),
        (
            good.replace("chain.pem", "none.pem"),
            "cloakroom.toml:2: server.tls.certificate: cannot read none.pem",
        ),
        (
            good.replace("key.pem", "chain.pem"),
            "cloakroom.toml:3: server.tls.key_file: chain.pem holds no private key",
        ),
        (
            good.replace("key_file", "kee_file"),
            "cloakroom.toml:3: server.tls.kee_file: unknown key",
        ),
        (
            "[server.tls]\ncertificate = \"chain.pem\"\n".into(),
            "cloakroom.toml:1: server.tls.key_file: is missing",
        ),
        (
            "[server.tls]\nkey_file = \"key.pem\"\n".into(),
            "cloakroom.toml:1: server.tls.certificate: is missing",
        ),
        (
            format!("{good}key = \"x\"\n"),
            "cloakroom.toml:3: server.tls.key_file: server.tls.key is given as well",
        ),
        (
            format!("[server]\npublic_url = \"http://127.0.0.1:7878\"\n{good}"),
            "cloakroom.toml:2: server.public_url: `http://127.0.0.1:7878` is plain http",
        ),
        (
            format!("[server]\nlisten = \"unix:x.sock\"\n{good}"),
            "server.tls: `unix:x.sock` is a unix socket",
        ),
    ] {
        file(&text);
        let (status, told) = run(&setup, &["check-config"]);
        assert_eq!(status, 1, "{text}");
        assert!(
            told.contains(why) && told.lines().count() == 1,
            "{why}\n{told}"
        );
        // A test brings `serve` a listener of its own.
        if !text.contains("unix:") {
            assert_eq!(setup.fail_to_serve(), (1, told), "serve says the same");
        }
    }
    // By flags it is wrong use.
    file("");
    let flags = ["serve", "--tls-cert", "none.pem", "--tls-key", "key.pem"];
    let (status, told) = run(&setup, &flags);
    let why = "cloakroom: flag --tls-cert: server.tls.certificate: cannot read none.pem: ";
    assert!(status == 2 && told.starts_with(why), "{status} {told}");
    // Somebody who may not read the key can still use other commands.
    file(&good.replace("key.pem", "none.pem"));
    assert_eq!(run(&setup, &["user", "add", "ada"]).0, 0);
}

#[test]
fn the_key_is_a_secret_and_may_come_by_environment() {
    let authority = Authority::new();
    let setup = setup(&authority, "");
    let key = std::fs::read_to_string(setup.path().join("key.pem")).unwrap();
    let setup = setup.env("CLOAKROOM_SERVER__TLS__KEY", key.clone());
    let (status, told) = run(&setup, &["check-config"]);
    assert_eq!((status, told), (0, String::new()));
    let printed = String::from_utf8(setup.run(&["config", "print"]).stdout).unwrap();
    assert!(
        printed.contains("key = \"[redacted]\"  # environment variable CLOAKROOM_SERVER__TLS__KEY"),
        "{printed}"
    );
    assert!(!printed.contains(key.lines().nth(1).unwrap()));
    assert!(
        !printed.contains("key_file"),
        "the variable stands in its place: {printed}"
    );
}
