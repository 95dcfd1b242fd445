//! The server on a small device: one client at a time, no disk.

use std::path::Path;

use serde_json::json;

use super::server::{KEY, authorization, create_one};
use crate::options::Options;
use crate::process::{self, Running};
use crate::results::DeviceFigures;
use crate::{Result, complain};

const STORE: &str = "memory:?reserve=2MiB&max_sessions=1";
const RESERVE: u64 = 2 << 20;

pub(super) fn measure(options: &Options) -> Result<Vec<DeviceFigures>> {
    let small = options.ours.with_file_name("small").join("cloakroom");
    let mut figures = Vec::new();
    for (profile, binary) in [
        ("release", options.ours.join("cloakroom")),
        ("small", small),
    ] {
        if binary.is_file() {
            figures.push(of(profile, &binary)?);
        } else {
            complain(&format!("there is no {}", binary.display()));
        }
    }
    Ok(figures)
}

fn of(profile: &str, binary: &Path) -> Result<DeviceFigures> {
    let mut command = process::pinned(binary);
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ephemeral",
        "--store",
        STORE,
    ]);
    command.env("CLOAKROOM_BOOTSTRAP__API_KEY", KEY);
    let running = Running::start(command)?;
    // A device's day: one person after another logs in, sees pages, is verified, logs out.
    let agent = ureq::agent();
    let at = |path: &str| format!("http://{}{path}", running.address);
    let key = authorization();
    for number in 0..100 {
        let (id, token) = create_one(&agent, &running, number)?;
        agent.get(at("/login")).call()?;
        agent
            .post(at("/v1/sessions/verify"))
            .header("authorization", &key)
            .send_json(json!({ "session_token": token }))?;
        agent
            .delete(at(&format!("/v1/sessions/{id}")))
            .header("authorization", &key)
            .call()?;
    }
    Ok(DeviceFigures {
        profile: profile.to_owned(),
        binary_bytes: binary.metadata()?.len(),
        resident_bytes: running.memory("VmRSS")?,
        peak_bytes: running.memory("VmHWM")?,
        reserve_bytes: RESERVE,
    })
}
