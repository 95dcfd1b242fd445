//! A small device without a disk: RAM set aside for sessions, one client at a time (`docs/small-device.md`).

use super::people::{cookie, login, opens, set_cookies};
use super::support::{PATIENCE, Server, Setup};
use reqwest::{Response, header::COOKIE};
use serde_json::json;
use std::time::Instant;

const KEY: &str = "a-key-of-a-test-that-is-long-enough-for-one";
const ADA: (&str, &str) = ("ada", "correct horse battery staple");
const BOB: (&str, &str) = ("bob", "another horse, another battery");

/// The store of `docs/small-device.md`, and costs of OWASP's list that leave most of the memory alone.
fn device() -> Setup {
    Setup::new()
        .arg("--ephemeral")
        .arg("--store")
        .arg("memory:?reserve=2MiB&max_sessions=1")
        .env("CLOAKROOM_ARGON2__MEMORY", "7MiB")
        .env("CLOAKROOM_ARGON2__ITERATIONS", "5")
        .env("CLOAKROOM_ARGON2__AT_ONCE", "1")
        .env("CLOAKROOM_BOOTSTRAP__API_KEY", KEY)
}

/// The device, with two people.
async fn started(setup: Setup) -> Server {
    let server = setup.start().await;
    for (name, password) in [ADA, BOB] {
        let body = json!({ "name": name, "password": password });
        let added = api(&server, "/v1/users", body).await;
        assert_eq!(added.status(), 201);
    }
    server
}

async fn api(server: &Server, path: &str, body: serde_json::Value) -> Response {
    let request = server.client().post(server.url(path)).bearer_auth(KEY);
    request.json(&body).send().await.unwrap()
}

async fn log_in(server: &Server, who: (&str, &str), held: &str) -> Response {
    let request = login(server, who, "").header(COOKIE, held);
    request.send().await.unwrap()
}

async fn enters(server: &Server, who: (&str, &str), held: &str) -> String {
    let response = log_in(server, who, held).await;
    assert_eq!(response.status(), 303, "{who:?}");
    cookie(&response)
}

async fn log_out(server: &Server, held: &str) {
    let request = server.client().post(server.url("/logout"));
    let done = request.header(COOKIE, held).send().await.unwrap();
    assert_eq!(done.status(), 303);
}

/// While one person is logged in, everybody else is told why it does not work, and when it is worth trying again.
#[tokio::test]
async fn one_client_at_a_time_and_others_are_told_why() {
    let server = started(device()).await;
    let adas = enters(&server, ADA, "").await;
    let refused = log_in(&server, BOB, "").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "60");
    assert!(set_cookies(&refused).is_empty());
    let page = refused.text().await.unwrap();
    assert!(
        page.contains("all places are in use") && page.contains("after 30m"),
        "{page}"
    );

    let refused = api(&server, "/v1/sessions", json!({ "subject": "bob" })).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "60");
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "urn:cloakroom:problem:full");

    assert!(opens(&server, &adas).await, "nobody is put out");
    log_out(&server, &adas).await;
    enters(&server, BOB, "").await;
}

/// OW-10: a new login in the same browser has room, whoever it is; the old token opens nothing.
#[tokio::test]
async fn a_new_login_in_the_same_browser_takes_its_place() {
    let server = started(device()).await;
    let mut held = enters(&server, ADA, "").await;
    for who in [ADA, BOB, ADA] {
        let fresh = enters(&server, who, &held).await;
        assert!(opens(&server, &fresh).await && !opens(&server, &held).await);
        held = fresh;
    }
}

/// Nobody is locked out by a session that he has left open elsewhere, unless more sessions are to be denied.
#[tokio::test]
async fn the_same_person_elsewhere_takes_the_place_over() {
    let server = started(device()).await;
    let first = enters(&server, ADA, "").await;
    let second = enters(&server, ADA, "").await;
    assert!(opens(&server, &second).await && !opens(&server, &first).await);

    let strict = started(device().env("CLOAKROOM_SESSION__ON_FULL", "deny")).await;
    let first = enters(&strict, ADA, "").await;
    assert_eq!(log_in(&strict, ADA, "").await.status(), 503);
    assert!(opens(&strict, &first).await);
}

/// A session that is left alone gives its place up, without anybody sweeping.
#[tokio::test]
async fn an_idle_session_gives_its_place_up() {
    let server = started(device().env("CLOAKROOM_SESSION__IDLE_TIMEOUT", "1s")).await;
    enters(&server, ADA, "").await;
    let started = Instant::now();
    while log_in(&server, BOB, "").await.status() != 303 {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Memory of the process in KiB, as `/proc/PID/status` names it.
fn memory(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let digits = line.chars().filter(char::is_ascii_digit);
    digits.collect::<String>().parse().unwrap()
}

/// What a login takes is given back after it, and one is under way at a time; so the process stays within 16 MB besides
/// the reservation, however many log in.
#[tokio::test]
async fn memory_stays_small_however_many_log_in() {
    const LIMIT: u64 = (16 + 2) * 1024;
    const ONE_HASH: u64 = 8 * 1024;
    /// Less than a hash that stayed would make of it.
    const OWN: u64 = 8 * 1024;
    let server = started(device()).await;
    for _ in 0..12 {
        let (one, two) = (log_in(&server, ADA, ""), log_in(&server, ADA, ""));
        let (one, two) = tokio::join!(one, two);
        assert_eq!([one.status(), two.status()], [303, 303]);
        assert_eq!(log_in(&server, BOB, "").await.status(), 503);
        assert_eq!(server.get("/metrics").await.status(), 200);
    }
    let [peak, now, own] = ["VmHWM", "VmRSS", "RssAnon"].map(|name| memory(&server, name));
    eprintln!("peak {peak} KiB, now {now} KiB, of which {own} KiB anonymous");
    assert!(own <= OWN, "{own} KiB");
    // The code of a build without optimisation alone is larger than that.
    assert!(cfg!(debug_assertions) || now <= LIMIT, "{now} KiB");
    assert!(
        peak <= now + ONE_HASH,
        "{peak} KiB at the peak, {now} KiB after"
    );
}
