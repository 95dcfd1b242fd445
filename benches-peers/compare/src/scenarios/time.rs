//! Limits of time. Where a layer has no clock that can be moved, the scenario waits, by whole seconds.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Verdict, applies, ensure};
use crate::script::Op;
use crate::under::{Layer, Wish};

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

pub(super) async fn absolute(layer: Layer) -> Verdict {
    let wish = Wish {
        absolute: Some(seconds(3)),
        ..Wish::default()
    };
    let stage = layer.stage(&wish).await;
    applies(stage.no_absolute)?;
    let mut browser = stage.browser();
    browser
        .send(&[Op::Login("ada"), Op::Set("base", json!(1))])
        .await;
    ensure(browser.get("base").await == json!(1), "it ended at once")?;
    for _ in 0..4 {
        stage.pass(seconds(1)).await;
        browser.send(&[Op::Get("base"), Op::Add("count")]).await;
    }
    ensure(
        browser.get("base").await == Value::Null,
        "it goes on beyond the limit, as long as it is used",
    )
}

pub(super) async fn reads_count(layer: Layer) -> Verdict {
    let wish = Wish {
        idle: seconds(5),
        ..Wish::default()
    };
    let stage = layer.stage(&wish).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    for _ in 0..3 {
        stage.pass(seconds(2)).await;
        ensure(
            browser.get("base").await == json!(1),
            "it ended although it was read",
        )?;
    }
    Ok(())
}

pub(super) async fn idle(layer: Layer) -> Verdict {
    let wish = Wish {
        idle: seconds(2),
        ..Wish::default()
    };
    let stage = layer.stage(&wish).await;
    let mut browser = stage.browser();
    browser.send(&[Op::Set("base", json!(1))]).await;
    stage.pass(seconds(4)).await;
    ensure(
        browser.get("base").await == Value::Null,
        "it goes on beyond the limit",
    )
}
