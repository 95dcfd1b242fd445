//! Configuration, seen from outside.

use super::support::Setup;

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_fault_in_the_file_is_one_line_with_its_place() {
    let setup = Setup::new().config("[session]\nidle_timout = \"5m\"\n");
    let (status, told) = setup.fail_to_serve();
    assert_eq!(status, 1);
    assert!(
        told.starts_with("cloakroom: cloakroom.toml:2: session.idle_timout: unknown key"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1);
    assert!(
        !setup.data_dir().exists(),
        "a server that did not start leaves nothing behind"
    );
}

#[test]
fn a_fault_in_a_flag_is_wrong_use() {
    for (flag, value) in [
        ("--listen", "nowhere"),
        ("--listen", "0.0.0.0:0"),
        ("--log", "xml"),
        ("--public-url", "login.example.com"),
    ] {
        let (status, told) = Setup::new().arg(flag).arg(value).fail_to_serve();
        assert_eq!(status, 2, "{told}");
        assert!(
            told.starts_with(&format!("cloakroom: flag {flag}: ")) && told.lines().count() == 1,
            "{told}"
        );
    }
}

#[test]
fn a_fault_in_the_environment_names_the_variable() {
    let (status, told) = Setup::new()
        .env("CLOAKROOM_SESSION__IDLE_TIMEOUT", "soon")
        .fail_to_serve();
    assert_eq!(status, 1);
    assert!(told.starts_with("cloakroom: environment variable CLOAKROOM_SESSION__IDLE_TIMEOUT: session.idle_timeout: "), "{told}");
}

#[test]
fn check_config_answers_by_exit_status() {
    let setup = Setup::new().config("[session]\nidle_timeout = \"5m\"\n");
    assert_eq!(setup.run(&["check-config"]).status.code(), Some(0));
    std::fs::write(
        setup.path().join("other.toml"),
        "[session]\nidle_timeout = \"500d\"\n",
    )
    .unwrap();
    let output = setup.run(&["check-config", "other.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "cloakroom: other.toml:2: session.idle_timeout: 500d is out of range: 1s to 400d\n"
    );
    let output = setup.run(&["check-config", "missing.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("missing.toml:1: cannot read: No such file"),
        "{}",
        stderr(&output)
    );
    assert!(!setup.data_dir().exists());
}

#[test]
fn config_print_shows_where_values_come_from_and_no_secret() {
    let setup = Setup::new()
        .config("[session]\nidle_timeout = \"5m\"\n")
        .env("CLOAKROOM_STORE", "postgres://ada:hunter2@db/x")
        .env("CLOAKROOM_BOOTSTRAP__API_KEY", "k".repeat(40));
    let output = setup.run(&["config", "print", "--data-dir", "d"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in [
        "idle_timeout = \"5m\"  # cloakroom.toml:2",
        "url = \"postgres://ada:[redacted]@db/x\"  # environment variable CLOAKROOM_STORE",
        "api_key = \"[redacted]\"  # environment variable CLOAKROOM_BOOTSTRAP__API_KEY",
        "data_dir = \"d\"  # flag --data-dir",
        "absolute_timeout = \"12h\"  # default",
    ] {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
    assert!(!printed.contains("hunter2") && !printed.contains("kkkk"));
}
