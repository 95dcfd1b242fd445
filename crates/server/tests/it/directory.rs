//! The built-in directory: the first start, the commands, and what they do to sessions.

use super::{
    people::{ADA, add_user, cookie, logged_in, login, opens, server_with, with_input},
    support::{Server, Setup},
};
use std::os::unix::fs::MetadataExt;

/// INTERFACE 1: without a terminal the password is in a private file, which goes with the first login.
#[tokio::test]
async fn the_first_start_makes_admin_and_the_file_goes_with_the_first_login() {
    let server = Server::start().await;
    let file = server.setup().data_dir().join("initial-admin-password");
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(!server.stdout().contains(&password) && !server.stderr().contains(&password));

    let server = server.restart().await;
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept.trim(), password, "a second start makes no other one");

    let refused = login(&server, ("admin", "not the password"), "")
        .send()
        .await
        .unwrap();
    assert_ne!(refused.status(), 303);
    assert!(file.exists());
    logged_in(&server, ("admin", &password)).await;
    assert!(!file.exists());

    let server = server.restart().await;
    assert!(!file.exists());
    logged_in(&server, ("admin", &password)).await;
}

#[tokio::test]
async fn an_ephemeral_server_tells_the_first_password_and_writes_nothing() {
    let server = Setup::new().arg("--ephemeral").start().await;
    let said = super::support::poll("the first login", || {
        Some(server.stdout()).filter(|said| said.contains("password "))
    });
    let password = said
        .split("password ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    logged_in(&server, ("admin", &password)).await;
    assert!(!server.setup().data_dir().exists());
}

/// AV-7.4.2, AV-7.4.3: a new password, disabling and removing end what is open, and the last two keep it closed.
#[tokio::test]
async fn passwd_disable_and_remove_end_the_persons_sessions_and_nobody_elses() {
    let server = server_with("").await;
    let bob = ("bob", "another good password");
    add_user(&server, bob, &["--role", "staff"]);
    let bobs = logged_in(&server, bob).await;

    let before = logged_in(&server, ADA).await;
    let mut command = server.setup().command();
    command.args(["user", "passwd", "ada", "--password-stdin"]);
    let new = ("ada", "a new and better password");
    assert!(with_input(command, new.1).status.success());
    assert!(!opens(&server, &before).await);
    assert_ne!(login(&server, ADA, "").send().await.unwrap().status(), 303);

    for command in [["user", "disable", "ada"], ["user", "remove", "ada"]] {
        let open = match command[1] {
            "disable" => logged_in(&server, new).await,
            _ => before.clone(),
        };
        assert!(server.setup().run(&command).status.success());
        assert!(!opens(&server, &open).await, "{command:?}");
        assert_ne!(
            login(&server, new, "").send().await.unwrap().status(),
            303,
            "{command:?}"
        );
    }
    assert!(opens(&server, &bobs).await);
    // A name that is given anew opens nothing of the one before.
    add_user(&server, ADA, &[]);
    assert!(!opens(&server, &before).await);
    logged_in(&server, ADA).await;
}

#[tokio::test]
async fn the_command_says_in_one_line_what_is_wrong() {
    let server = server_with("").await;
    for (args, says) in [
        (vec!["user", "add", "ada"], "name is taken"),
        (vec!["user", "passwd", "nobody"], "no such user"),
        (vec!["user", "remove", "nobody"], "no such user"),
        (vec!["user", "add", " x"], "white space"),
        (vec!["user", "add", "x", "--role", "no role"], "no role"),
    ] {
        let output = server.setup().run(&args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        assert!(
            told.lines().count() == 1 && told.contains(says),
            "{args:?}: {told}"
        );
    }
    for (name, password) in [
        ("eve", "short"),
        ("eve", "aaaaaaaaaaaa"),
        ("somebody", "SomeBody"),
    ] {
        let mut command = server.setup().command();
        command.args(["user", "add", name, "--password-stdin"]);
        assert_eq!(
            with_input(command, password).status.code(),
            Some(1),
            "{password}"
        );
    }
}

/// Nobody learns from the answer whether a name exists (AV-16.5.1).
#[tokio::test]
async fn a_wrong_name_a_wrong_password_and_a_disabled_person_look_alike() {
    let server = server_with("").await;
    add_user(&server, ("gone", "a good password too"), &[]);
    assert!(
        server
            .setup()
            .run(&["user", "disable", "gone"])
            .status
            .success()
    );
    let mut answers = Vec::new();
    for (name, password) in [
        ("ada", "wrong password"),
        ("nobody", "wrong password"),
        ("gone", "a good password too"),
    ] {
        let response = login(&server, (name, password), "").send().await.unwrap();
        let status = response.status();
        answers.push((status, response.text().await.unwrap().replace(name, "NAME")));
    }
    assert!(
        answers[0] == answers[1] && answers[1] == answers[2],
        "{answers:#?}"
    );
    assert!(answers[0].0.is_client_error());
}

/// A guesser has to wait, and neither the person's device nor another network is made to.
#[tokio::test]
async fn guesses_from_one_network_delay_that_network_alone() {
    let server = server_with("").await;
    let from = |network: &str, password: &'static str| {
        login(&server, ("ada", password), "").header("X-Forwarded-For", network.to_owned())
    };
    let owner = from("203.0.113.9", ADA.1).send().await.unwrap();
    let device = super::people::set_cookies(&owner);
    let device = device
        .iter()
        .find(|value| value.contains("device="))
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let mut slowed = None;
    for _ in 0..20 {
        let response = from("198.51.100.7", "a wrong guess").send().await.unwrap();
        if response.status() == 429 {
            let wait: u64 = response.headers()["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            slowed = Some(wait);
            break;
        }
    }
    assert!(
        slowed.is_some_and(|wait| (1..=60).contains(&wait)),
        "{slowed:?}"
    );
    let at_home = from("203.0.113.200", ADA.1).send().await.unwrap();
    assert_eq!(
        at_home.status(),
        303,
        "the network that the person is known at"
    );
    let on_device = from("198.51.100.8", ADA.1)
        .header("Cookie", device)
        .send()
        .await
        .unwrap();
    assert_eq!(
        on_device.status(),
        303,
        "the person's own device, beside the attacker"
    );
    assert!(opens(&server, &cookie(&on_device)).await);
}
