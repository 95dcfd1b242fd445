//! Cookies and log lines.

use serde_json::json;

use super::{Verdict, ensure};
use crate::browser::SetCookie;
use crate::logs::Lines;
use crate::script::Op;
use crate::under::{Layer, Wish};

pub(super) async fn host_prefix(layer: Layer) -> Verdict {
    let wish = Wish {
        host_prefix: true,
        ..Wish::default()
    };
    let stage = layer.stage(&wish).await;
    let mut browser = stage.browser();
    let given = browser.send(&[Op::Set("base", json!(1))]).await;
    ensure(!given.cookies.is_empty(), "no cookie was set")?;
    given.cookies.iter().try_for_each(keeps_the_rule)?;
    ensure(
        browser.get("base").await == json!(1),
        "its own cookie is not read back",
    )?;
    let gone = browser.send(&[Op::Logout]).await;
    ensure(
        gone.cookies.iter().any(SetCookie::is_removal),
        "the logout leaves the cookie",
    )?;
    gone.cookies.iter().try_for_each(keeps_the_rule)?;
    ensure(browser.jar().is_empty(), "the browser still has a cookie")
}

/// RFC 6265bis section 4.1.3.2: else the browser drops the header, and a removal removes nothing.
fn keeps_the_rule(cookie: &SetCookie) -> Verdict {
    let name = &cookie.name;
    ensure(
        name.starts_with("__Host-"),
        &format!("{name} has no prefix"),
    )?;
    ensure(cookie.has("secure"), &format!("{name} is not Secure"))?;
    ensure(cookie.has("path=/"), &format!("{name} has no Path=/"))?;
    let domain = cookie
        .attributes
        .iter()
        .any(|attribute| attribute.starts_with("domain"));
    ensure(!domain, &format!("{name} has a Domain"))
}

pub(super) async fn log_flood(layer: Layer) -> Verdict {
    const REQUESTS: usize = 200;
    let elsewhere = layer.stage(&Wish::default()).await;
    let stage = layer.stage(&Wish::default()).await;
    let mut strangers = Vec::new();
    for _ in 0..REQUESTS {
        // Issued by another application: of the right shape, and unknown here.
        let mut theirs = elsewhere.browser();
        theirs.send(&[Op::Set("theirs", json!(1))]).await;
        let mut stranger = stage.browser();
        for (name, value) in theirs.jar() {
            stranger.plant(name, value);
        }
        strangers.push(stranger);
    }
    let lines = Lines::count_from_now();
    for stranger in &mut strangers {
        stranger.get("base").await;
    }
    let count = lines.so_far();
    ensure(
        count <= REQUESTS / 10,
        &format!("{REQUESTS} unknown ids made {count} lines"),
    )
}
