//! What is kept, and what is not.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Stop, Verdict, ensure};
use crate::script::Op;
use crate::under::{Fault, Layer, Wish};

pub(super) async fn removal(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Set("a", json!(1)), Op::Set("b", json!(2))])
        .await;
    browser.send(&[Op::Get("a"), Op::Remove("a")]).await;
    ensure(
        browser.get("a").await == Value::Null,
        "what was removed came back",
    )?;
    ensure(
        browser.get("b").await == json!(2),
        "another value went with it",
    )
}

pub(super) async fn update_in_place(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("count", json!(1))]).await;
    browser.send(&[Op::Add("count")]).await;
    ensure(browser.get("count").await == json!(2), "it was not kept")
}

pub(super) async fn untouched(layer: Layer) -> Verdict {
    let stage = layer.stage(&Wish::default()).await;
    let mut browser = stage.browser();
    let answer = browser.send(&[]).await;
    ensure(answer.cookies.is_empty(), "a cookie was set")?;
    ensure(
        stage.rows().is_none_or(|rows| rows == 0),
        "a session was kept",
    )
}

pub(super) async fn sweeper(layer: Layer) -> Verdict {
    const NONE: Stop = Stop::NotApplicable(
        "its memory store is not swept by a task that a store's error could end",
    );
    let wish = Wish {
        idle: Duration::from_secs(10),
        ..Wish::default()
    };
    if layer != Layer::Cloakroom {
        return Err(NONE);
    }
    let stage = layer.stage(&wish).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    stage.fail(Fault::Sweeps);
    for _ in 0..3 {
        stage.pass(Duration::from_secs(61)).await;
        stage.browser().send(&[]).await;
        tokio::task::yield_now().await;
    }
    ensure(stage.rows() == Some(1), "the failing store was swept")?;
    stage.fail(Fault::Nothing);
    stage.pass(Duration::from_secs(61)).await;
    stage.browser().send(&[]).await;
    // The sweep runs beside the request.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    ensure(stage.rows() == Some(0), "an expired session stays for ever")
}
