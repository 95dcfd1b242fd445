//! The library as a user's server has it, over HTTP.

use crate::http::{Each, Requests, Subject, measure as rounds};
use crate::options::Options;
use crate::process::{self, Running};
use crate::results::HttpFigures;
use crate::{Result, complain};

/// Sessions whose cookies come in turn.
const SESSIONS: usize = 1000;
const LAYERS: [&str; 4] = ["control", "cloakroom", "tower-sessions", "axum_session"];
const PATHS: [(&str, &str); 3] = [
    ("untouched", "/"),
    ("read", "/read"),
    ("read + write", "/write"),
];

pub(super) fn measure(options: &Options) -> Result<Vec<HttpFigures>> {
    let folder = tempfile::tempdir()?;
    let mut servers = Vec::new();
    for layer in LAYERS {
        let mut command = process::pinned(&process::beside("httpd")?);
        command.arg(layer);
        let server = Running::start(command)?;
        let cookies = begin(&server, SESSIONS)?;
        complain(&format!("{layer} listens on {}", server.address));
        servers.push((layer, server, cookies));
    }
    let mut subjects = Vec::new();
    for (case, path) in PATHS {
        for (layer, server, cookies) in &servers {
            // The control does the same in all three, but is measured in the same minute as those beside it.
            let requests = Requests {
                method: "GET",
                path,
                headers: &[],
                each: Each::Cookie(cookies),
            };
            let name = format!("{layer}, {case}");
            let script = requests.script(folder.path(), &name.replace(' ', "-"))?;
            subjects.push(Subject {
                name,
                server,
                script,
            });
        }
    }
    rounds(&subjects, options.of(3, 5), options.of(1, 4))
}

/// So many sessions; the cookies as a browser would send them.
pub(super) fn begin(server: &Running, sessions: usize) -> Result<Vec<String>> {
    let agent = ureq::agent();
    let url = format!("http://{}/begin", server.address);
    let mut cookies = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let response = agent.get(&url).call()?;
        let pairs: Vec<&str> = response
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .collect();
        cookies.push(pairs.join("; "));
    }
    Ok(cookies)
}
