//! Handlers and stores that fail.

use serde_json::json;

use super::{Stop, Verdict, ensure};
use crate::script::Op;
use crate::under::{Fault, Layer, Wish};

pub(super) async fn renewal_and_failure(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Set("base", json!(1)), Op::Login("ada")])
        .await;
    let answer = browser.send(&[Op::Renew, Op::Fail]).await;
    ensure(
        answer.status.is_server_error(),
        "the handler's 500 did not arrive",
    )?;
    ensure(
        browser.get("base").await == json!(1),
        "the person was logged out",
    )
}

const NO_FAULTS: Stop =
    Stop::NotApplicable("it keeps sessions in its own memory, which cannot fail");

pub(super) async fn failing_load(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    if !stage.fail(Fault::Loads) {
        return Err(NO_FAULTS);
    }
    let answer = browser
        .send(&[Op::Get("base"), Op::Set("other", json!(1))])
        .await;
    ensure(
        answer.status.is_server_error(),
        "the request was answered as if there were no session",
    )?;
    let answer = browser.send(&[Op::Set("other", json!(1))]).await;
    ensure(
        answer.status.is_server_error(),
        "a write without a read was answered with success",
    )?;
    stage.fail(Fault::Nothing);
    ensure(
        browser.get("base").await == json!(1),
        "the session was lost or written over",
    )
}

pub(super) async fn failing_write(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    if !stage.fail(Fault::Writes) {
        return Err(NO_FAULTS);
    }
    let answer = browser
        .send(&[Op::Get("base"), Op::Set("other", json!(1))])
        .await;
    ensure(
        answer.status.is_server_error(),
        "what was not kept was answered with success",
    )?;
    stage.fail(Fault::Nothing);
    ensure(
        browser.get("base").await == json!(1),
        "the session was lost",
    )
}
