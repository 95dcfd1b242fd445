//! Who has a session, and by which token.

use serde_json::{Value, json};

use super::{Verdict, applies, ensure};
use crate::browser::Browser;
use crate::script::Op;
use crate::under::{Layer, Wish};

pub(super) async fn login(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    let mut thief = browser.clone();
    browser.send(&[Op::Login("ada")]).await;
    ensure(browser.jar() != thief.jar(), "the token stayed the same")?;
    ensure(
        browser.get("base").await == json!(1),
        "the person's own data was lost",
    )?;
    ensure(
        thief.get("base").await == Value::Null,
        "the token from before the login still opens it",
    )
}

pub(super) async fn logout(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Set("base", json!(1)), Op::Login("ada")])
        .await;
    let mut other = browser.clone();
    browser.send(&[Op::Logout]).await;
    ensure(
        browser.get("base").await == Value::Null,
        "it goes on in the tab itself",
    )?;
    ensure(
        other.get("base").await == Value::Null,
        "it goes on in the other tab",
    )
}

pub(super) async fn takeover(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    applies(stage.no_subject)?;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Login("ada"), Op::Set("letters", json!("private"))])
        .await;
    let mut ada = browser.clone();
    browser.send(&[Op::Login("bob")]).await;
    ensure(browser.jar() != ada.jar(), "the token stayed the same")?;
    ensure(
        browser.get("letters").await == Value::Null,
        "bob reads ada's data",
    )?;
    ensure(
        ada.get("letters").await == Value::Null,
        "ada's old token opens bob's session",
    )
}

/// A token of the right shape, from another application with this layer: this one never issued it.
async fn planted(layer: Layer, browser: &mut Browser) -> (String, String) {
    let elsewhere = layer.stage(&Wish::default()).await;
    let mut other = elsewhere.browser();
    other.send(&[Op::Set("theirs", json!(1))]).await;
    for (name, value) in other.jar() {
        browser.plant(name, value);
    }
    let first = other.jar().iter().next().expect("a cookie");
    (first.0.clone(), first.1.clone())
}

async fn planted_then(layer: Layer, ops: &[Op]) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut victim = stage.browser();
    let (name, value) = planted(layer, &mut victim).await;
    let mut attacker = victim.clone();
    let answer = victim.send(ops).await;
    ensure(answer.status.is_success(), "the request failed")?;
    ensure(
        victim.jar().get(&name) != Some(&value),
        "the planted token was adopted",
    )?;
    ensure(
        victim.get("mine").await == json!(1),
        "what was written is gone",
    )?;
    ensure(
        attacker.get("mine").await == Value::Null,
        "the planted token opens the victim's session",
    )
}

pub(super) async fn planted_write(layer: Layer) -> Verdict {
    planted_then(layer, &[Op::Set("mine", json!(1))]).await
}

pub(super) async fn planted_clear(layer: Layer) -> Verdict {
    planted_then(layer, &[Op::Clear, Op::Set("mine", json!(1))]).await
}

pub(super) async fn forged(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    let (name, value) = browser.jar().iter().next().expect("a cookie");
    let (name, value) = (name.clone(), value.clone());
    let mut cut = value.clone();
    cut.pop();
    let long = "A".repeat(4000);
    let values = [
        "",
        "x",
        "../../etc/passwd",
        "%00%ff",
        "session:1",
        "{\"id\":1}",
        &cut,
        &long,
    ];
    for forged in values {
        let mut forger = stage.browser();
        forger.plant(&name, forged);
        let answer = forger.send(&[Op::Get("base")]).await;
        ensure(
            answer.status.is_success(),
            &format!("a cookie of {} bytes is a {}", forged.len(), answer.status),
        )?;
        ensure(
            answer.values == [Value::Null],
            "a forged cookie opens a session",
        )?;
    }
    ensure(
        browser.get("base").await == json!(1),
        "the real session was lost",
    )
}
