//! Requests of one session at the same time.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Verdict, ensure, no};
use crate::script::{Gate, Op};
use crate::under::{Layer, Wish};

/// Both read before either writes; the one that writes last has not seen the other's value.
pub(super) async fn two_writers(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    let gates = [Gate::new(), Gate::new()];
    let mut started = Vec::new();
    for (gate, name) in gates.iter().zip(["a", "b"]) {
        let ops = [
            Op::Get("base"),
            Op::Set(name, json!(1)),
            Op::Meet(gate.clone()),
        ];
        started.push(browser.start(&ops));
        gate.someone().await;
    }
    for (gate, request) in gates.iter().zip(started) {
        gate.open();
        let answer = request.await.expect("no panic");
        ensure(answer.status.is_success(), "one was not answered with 200")?;
        browser.take(&answer);
    }
    let both = [browser.get("a").await, browser.get("b").await];
    ensure(both == [json!(1), json!(1)], "one of two writes was lost")
}

pub(super) async fn uncommitted(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    let gate = Gate::new();
    let request = browser.start(&[Op::Set("draft", json!(1)), Op::Meet(gate.clone())]);
    gate.someone().await;
    let seen = browser.get("draft").await;
    gate.open();
    let answer = request.await.expect("no panic");
    browser.take(&answer);
    ensure(
        seen == Value::Null,
        "another request saw what was not written yet",
    )?;
    ensure(
        browser.get("draft").await == json!(1),
        "it was never written",
    )
}

pub(super) async fn late_write(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Set("base", json!(1)), Op::Login("ada")])
        .await;
    let mut thief = browser.clone();
    let gate = Gate::new();
    let ops = [
        Op::Get("base"),
        Op::Set("late", json!(1)),
        Op::Meet(gate.clone()),
    ];
    let late = browser.start(&ops);
    gate.someone().await;
    let logout = browser.send(&[Op::Logout]).await;
    ensure(logout.status.is_success(), "the logout failed")?;
    gate.open();
    let answer = late.await.expect("no panic");
    ensure(
        thief.get("base").await == Value::Null,
        "the old token opens the session again",
    )?;
    browser.take(&answer);
    ensure(
        browser.get("base").await == Value::Null,
        "the late answer's cookie opens the session again",
    )
}

pub(super) async fn cancelled(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Set("base", json!(1)), Op::Login("ada")])
        .await;
    let mut thief = browser.clone();
    let gate = Gate::new();
    let request = browser.start(&[
        Op::Get("base"),
        Op::Set("half", json!(1)),
        Op::Meet(gate.clone()),
    ]);
    gate.someone().await;
    request.abort();
    let _ = request.await;
    let logout = browser.send(&[Op::Logout]);
    match tokio::time::timeout(Duration::from_secs(10), logout).await {
        Ok(answer) => ensure(answer.status.is_success(), "the logout failed")?,
        Err(_) => return no("the logout waits for the cancelled request"),
    }
    ensure(
        thief.get("base").await == Value::Null,
        "the old token still opens it",
    )
}
