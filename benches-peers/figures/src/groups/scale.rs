//! `/v1/sessions/verify` where there are few sessions, and where there are many.

use crate::http::{Subject, measure as rounds};
use crate::options::Options;
use crate::process::{self, Running};
use crate::results::HttpFigures;
use crate::{Result, complain};

use super::server::{KEY, verify_script};

/// As many as differ for wrk; a thousand would stay in the processor's caches, whatever the store holds.
const TOKENS: usize = 100_000;
const FEW: (&str, &str, &str) = ("10 thousand", "10000", "64MiB");
const MANY: (&str, &str, &str) = ("10 million", "10000000", "5GiB");

pub(super) fn measure(options: &Options) -> Result<Vec<HttpFigures>> {
    let folder = tempfile::tempdir()?;
    let mut servers = Vec::new();
    for (name, sessions, reserve) in [FEW, MANY] {
        let file = folder.path().join(format!("{sessions}.tokens"));
        let mut command = process::pinned(&process::beside("prefilled")?);
        command
            .args([sessions, reserve, &TOKENS.to_string()])
            .arg(&file);
        command.env("CLOAKROOM_BOOTSTRAP__API_KEY", KEY);
        let running = Running::start(command)?;
        let resident = running.memory("VmRSS")? >> 20;
        complain(&format!("{name} sessions: {resident} MiB resident"));
        let text = std::fs::read_to_string(&file)?;
        let tokens: Vec<String> = text.lines().map(str::to_owned).collect();
        servers.push((
            name,
            running,
            verify_script(&tokens, folder.path(), sessions)?,
        ));
    }
    let subjects: Vec<Subject<'_>> = servers
        .iter()
        .map(|(name, server, script)| Subject {
            name: format!("{name} sessions"),
            server,
            script: script.clone(),
        })
        .collect();
    rounds(&subjects, options.of(3, 5), options.of(2, 5))
}
