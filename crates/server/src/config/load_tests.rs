//! Tests of the layers as a whole: what wins, and how faults are told.

use super::*;
use std::path::Path;

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    file::parse(&mut layers, text, Path::new("c.toml"))?;
    finish(layers).map(|(config, _)| config)
}

fn from_env(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    env::read(
        &mut layers,
        variables.iter().map(|(k, v)| (k.into(), v.into())),
    )?;
    finish(layers).map(|(config, _)| config)
}

fn fault(text: &str) -> String {
    from_file(text).unwrap_err().to_string()
}

#[test]
fn the_defaults_pass_their_own_rules() {
    let config = from_file("").unwrap();
    assert_eq!(config.session.idle_timeout.to_string(), "30m");
    assert_eq!(config.cookie.name.as_deref(), Some("session"));
    assert_eq!(
        config.store.url.unwrap().expose(),
        "embedded:cloakroom-data/store"
    );
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(
        &path,
        "[session]\nidle_timeout = \"1m\"\nabsolute_timeout = \"2m\"\nrenew_grace = 3\n",
    )
    .unwrap();
    let flags = Flags {
        file: Some(path),
        values: vec![("--idle", "session.idle_timeout", "7m".into())],
    };
    let env = [
        ("CLOAKROOM_SESSION__IDLE_TIMEOUT", "5m"),
        ("CLOAKROOM_SESSION__ABSOLUTE_TIMEOUT", "6m"),
    ];
    let loaded = load_from(&flags, env.iter().map(|(k, v)| (k.into(), v.into()))).unwrap();
    let session = &loaded.config.session;
    assert_eq!(
        [
            session.idle_timeout,
            session.absolute_timeout,
            session.renew_grace
        ]
        .map(|p| p.to_string()),
        ["7m", "6m", "3s"]
    );
    assert_eq!(
        loaded.layers.place("session.idle_timeout"),
        Place::Flag("--idle")
    );
    assert_eq!(
        loaded.layers.place("session.max_per_subject"),
        Place::Default
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of faults, one a line")]
fn a_fault_names_file_line_and_key() {
    for (text, told) in [
        (
            "[session]\nidle_timout = 5\n",
            "c.toml:2: session.idle_timout: unknown key (known here: idle_timeout,",
        ),
        ("\n[sesion]\n", "c.toml:2: sesion: unknown key"),
        (
            "[session]\n\nidle_timeout = 0",
            "c.toml:3: session.idle_timeout: 0s is out of range: 1s to 400d",
        ),
        (
            "[session]\nidle_timeout = -1",
            "c.toml:2: session.idle_timeout: a length of time cannot be negative",
        ),
        (
            "[session]\nidle_timeout = true",
            "c.toml:2: session.idle_timeout: invalid type: boolean `true`, expected a length of time",
        ),
        (
            "[session]\nmax_per_subject = 0",
            "c.toml:2: session.max_per_subject: 0 is out of range: 1 to 10000",
        ),
        (
            "[session]\non_full = \"x\"",
            "c.toml:2: session.on_full: unknown variant `x`, expected one of `end-oldest`, `deny`, `allow`",
        ),
        (
            "session = 5",
            "c.toml:1: session: invalid type: integer `5`",
        ),
        ("a.b.c = 5", "c.toml:1: a: unknown key"),
        ("[server\n", "c.toml:1: unclosed table, expected `]`"),
        (
            "[server]\nlisten = \"1\"\nlisten = \"2\"",
            "c.toml:3: duplicate key",
        ),
        (
            "[proxy]\ntrusted = [\n  \"127.0.0.1\",\n  \"10.0.0.0/33\"]",
            "c.toml:4: proxy.trusted[1]: `10.0.0.0/33` is no network",
        ),
        (
            "[[access]]\nallow = \"public\"\n\n[[access]]\nhots = \"x\"",
            "c.toml:5: access[1].hots: unknown key",
        ),
        (
            "[[access]]\nallow = \"admin\"",
            "c.toml:2: access[0].allow: `admin` is neither \"public\" nor \"signed-in\"",
        ),
        (
            "[[access]]\nhost = \"https://x\"\nallow = \"public\"",
            "c.toml:2: access[0].host: `https://x` is no host",
        ),
        (
            "[[access]]\npath = \"x\"\nallow = \"public\"",
            "c.toml:2: access[0].path: `x` does not begin with a slash",
        ),
        (
            "[[access]]\nmethods = [\"get\"]\nallow = \"public\"",
            "c.toml:2: access[0].methods: `get` is no method",
        ),
        (
            "[[access]]\nhost = \"x\"",
            "c.toml:1: access[0]: missing field `allow`",
        ),
        (
            "[login]\nallowed_origins = [\"https://x/\"]",
            "c.toml:2: login.allowed_origins[0]: `https://x/` is no origin: it ends with a slash",
        ),
        (
            "[login]\nurl = \"http://x/\"",
            "c.toml:2: login.url: `http://x/` is plain http to another machine",
        ),
        (
            "[server]\nbase_path = \"/x/\"",
            "c.toml:2: server.base_path: `/x/` ends with a slash",
        ),
        (
            "[server]\nbase_path = \"/v1\"",
            "c.toml:2: server.base_path: `/v1` is a path of the API",
        ),
        ("[log]\nlevel = \"=,=\"", "c.toml:2: log.level: `=,=`: "),
        (
            "[keys]\nsecret = 4711",
            "c.toml:2: keys.secret: is not a text",
        ),
        (
            "[keys]\nsecret = \"short\"",
            "c.toml:2: keys.secret: is not 32 bytes in base64",
        ),
        (
            "[keys]\nsecret_file = \"/no/such\"",
            "c.toml:2: keys.secret_file: cannot read /no/such: ",
        ),
    ] {
        let got = fault(text);
        assert!(
            got.starts_with(told),
            "{text}\n  told: {got}\n  want: {told}"
        );
        assert!(!got.contains('\n'), "one line: {got}");
    }
}

#[test]
fn a_fault_names_the_variable() {
    for (name, value, told) in [
        (
            "CLOAKROOM_SESSION__IDLE_TIMEOUT",
            "soon",
            "environment variable CLOAKROOM_SESSION__IDLE_TIMEOUT: session.idle_timeout: `soon` is no length of time",
        ),
        (
            "CLOAKROOM_SESSION__MAX_PER_SUBJECT",
            "x",
            "environment variable CLOAKROOM_SESSION__MAX_PER_SUBJECT: session.max_per_subject: invalid type",
        ),
        (
            "CLOAKROOM_SESSION__MAX_PER_SUBJECT",
            "-3",
            "environment variable CLOAKROOM_SESSION__MAX_PER_SUBJECT: session.max_per_subject: invalid value",
        ),
        (
            "CLOAKROOM_SESION__X",
            "1",
            "environment variable CLOAKROOM_SESION__X: sesion: unknown key",
        ),
        (
            "CLOAKROOM_LISTENN",
            "1",
            "environment variable CLOAKROOM_LISTENN: unknown variable",
        ),
        (
            "CLOAKROOM_LISTEN",
            "0.0.0.0:80",
            "environment variable CLOAKROOM_LISTEN: server.listen: `0.0.0.0:80` is neither https nor loopback",
        ),
    ] {
        let got = from_env(&[(name, value)]).unwrap_err().to_string();
        assert!(got.starts_with(told), "told: {got}\nwant: {told}");
    }
}

#[test]
fn a_variable_takes_the_type_of_its_key() {
    let config = from_env(&[
        ("CLOAKROOM_SESSION__MAX_PER_SUBJECT", "5"),
        ("CLOAKROOM_COOKIE__PERSISTENT", "true"),
        ("CLOAKROOM_PROXY__TRUSTED", "10.0.0.0/8, 192.0.2.1"),
        ("CLOAKROOM_SESSION__IDLE_TIMEOUT", "90"),
        ("CLOAKROOM_COOKIE__NAME", "12345"),
    ])
    .unwrap();
    assert_eq!(config.session.max_per_subject, 5);
    assert!(config.cookie.persistent);
    assert_eq!(config.proxy.trusted.len(), 2);
    assert_eq!(config.session.idle_timeout.to_string(), "1m30s");
    assert_eq!(config.cookie.name.as_deref(), Some("12345"));
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "k".repeat(40) + "\n").unwrap();
    let path_text = path.to_str().unwrap();
    let config = from_file(&format!("[bootstrap]\napi_key_file = \"{path_text}\"")).unwrap();
    assert_eq!(config.bootstrap.api_key.unwrap().expose(), "k".repeat(40));
    std::fs::write(&path, "too short").unwrap();
    let told = fault(&format!("[bootstrap]\napi_key_file = \"{path_text}\""));
    assert!(
        told.starts_with(&format!(
            "{path_text} (named by c.toml:2): bootstrap.api_key: is not 32"
        )),
        "{told}"
    );
    assert!(!told.contains("too short"));
}

#[test]
fn a_secret_and_its_file_exclude_each_other_in_one_layer_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, "[store]\nurl_file = \"/no/such\"\n").unwrap();
    let flags = Flags {
        file: Some(path.clone()),
        values: vec![("--store", "store.url", "memory:".into())],
    };
    assert_eq!(
        load_from(&flags, std::iter::empty())
            .unwrap()
            .config
            .store
            .url
            .unwrap()
            .expose(),
        "memory:"
    );
    std::fs::write(
        &path,
        "[store]\nurl = \"memory:\"\nurl_file = \"/no/such\"\n",
    )
    .unwrap();
    let told = load_from(
        &Flags {
            file: Some(path),
            values: vec![],
        },
        std::iter::empty(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        told.ends_with("c.toml:3: store.url_file: store.url is given as well: one of them only"),
        "{told}"
    );
}

#[test]
fn the_public_url_decides_about_listening() {
    assert!(
        from_file("[server]\nlisten = \"0.0.0.0:1\"\npublic_url = \"https://x.example\"").is_ok()
    );
    assert!(from_file("[server]\nlisten = \"unix:/run/x\"").is_ok());
    assert!(from_file("[server]\npublic_url = \"https://x.example/\"").is_ok());
    assert!(from_file("[server]\npublic_url = \"http://localhost:3000\"").is_ok());
    assert!(
        fault("[server]\npublic_url = \"http://x.example\"")
            .contains("server.public_url: `http://x.example` is plain http")
    );
    assert!(fault("[server]\npublic_url = \"https://x.example/path\"").contains("it has a path"));
    assert!(
        from_file(
            "[server]\npublic_url = \"http://x.example\"\ndangerously_allow_plain_http = true"
        )
        .is_ok()
    );
}

#[test]
fn the_cookie_name_follows_from_the_public_url() {
    let name = |text: &str| from_file(text).unwrap().cookie.name.unwrap();
    assert_eq!(
        name("[server]\npublic_url = \"https://x.example.com\""),
        "__Host-session"
    );
    assert_eq!(
        name(
            "[server]\npublic_url = \"https://x.example.com\"\n[cookie]\ndomain = \"example.com\""
        ),
        "__Secure-session"
    );
    assert_eq!(
        name("[server]\npublic_url = \"http://localhost:1\""),
        "session"
    );
}

#[test]
fn ck_4_ck_9_ck_10_cookie_rules_are_enforced() {
    let https = "[server]\npublic_url = \"https://x.example.com\"\n[cookie]\n";
    for (cookie, told) in [
        (
            "name = \"__host-x\"",
            "browsers read it as the prefix __Host-",
        ),
        (
            "name = \"__Host-x\"\ndomain = \"example.com\"",
            "forbids cookie.domain",
        ),
        ("name = \"__Host-x\"\npath = \"/a\"", "needs cookie.path"),
        (
            "name = \"__Host-Http-x\"\npath = \"/a\"",
            "the prefix __Host-Http- needs cookie.path",
        ),
        ("name = \"a b\"", "is no cookie name"),
        ("name = \"\"", "is no cookie name"),
        ("domain = \".example.com\"", "is no domain"),
        ("domain = \"other.com\"", "is not below"),
        ("domain = \"ample.com\"", "is not below"),
        ("domain = \"com\"", "whole top-level domain"),
        ("path = \"a\"", "does not begin with a slash"),
        ("same_site = \"maybe\"", "unknown variant"),
    ] {
        let got = fault(&format!("{https}{cookie}"));
        assert!(
            got.starts_with("c.toml:") && got.contains(told),
            "{cookie}: {got}"
        );
    }
    let long = format!("{https}path = \"/{}\"", "a".repeat(1024));
    assert!(fault(&long).contains("longer than 1024 octets"));
    for name in ["__Http-x", "__Host-Http-x", "__Secure-x", "__Host-x"] {
        assert!(
            from_file(&format!("{https}name = \"{name}\"")).is_ok(),
            "{name}"
        );
        assert!(
            fault(&format!("[cookie]\nname = \"{name}\"")).contains("needs Secure"),
            "{name}"
        );
    }
    assert!(fault("[cookie]\nsame_site = \"none\"").contains("without Secure"));
    assert!(from_file(&format!("{https}same_site = \"None\"")).is_ok());
}

#[test]
fn ephemeral_keeps_off_the_disk() {
    assert_eq!(
        from_file("[server]\nephemeral = true")
            .unwrap()
            .store
            .url
            .unwrap()
            .expose(),
        "memory:"
    );
    assert!(
        fault("[server]\nephemeral = true\n[store]\nurl = \"embedded:x\"")
            .contains("writes to disk")
    );
}

#[test]
fn trusted_proxies_are_matched_in_either_address_form() {
    let proxy = from_file("").unwrap().proxy;
    let trusts = |text: &str| proxy.trusts(Some(text.parse().unwrap()));
    assert!(
        trusts("127.0.0.1") && trusts("::1") && trusts("::ffff:127.0.0.1") && proxy.trusts(None)
    );
    assert!(!trusts("10.0.0.1") && !trusts("::ffff:10.0.0.1"));
}

#[test]
fn the_printed_configuration_reads_back_and_hides_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let text = format!(
        "[store]\nurl = \"postgres://a:hunter2@db/x\"\n[bootstrap]\napi_key = \"{}\"\n[[access]]\nhost = \"a.b\"\nallow = [\"admin\"]\n",
        "k".repeat(40)
    );
    std::fs::write(&path, text).unwrap();
    let loaded = load_from(
        &Flags {
            file: Some(path),
            values: vec![],
        },
        std::iter::empty(),
    )
    .unwrap();
    let printed = crate::config::print(&loaded).unwrap();
    assert!(
        !printed.contains("hunter2") && !printed.contains("kkk"),
        "{printed}"
    );
    assert!(
        printed.contains("idle_timeout = \"30m\"  # default"),
        "{printed}"
    );
    assert!(printed.contains("c.toml:2"), "{printed}");
    assert!(
        printed.contains("allow = [\"admin\"]  # ") && printed.contains("c.toml:7"),
        "{printed}"
    );
    toml::from_str::<toml::Table>(&printed).unwrap();
}
