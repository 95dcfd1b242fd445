//! One server after another under wrk, in rounds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::results::{HttpFigures, Round};
use crate::{Result, complain, process};
use process::Running;

/// A server, and the requests it is asked.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    pub(crate) server: &'a Running,
    pub(crate) script: PathBuf,
}

/// The parts of a request that change from one to the next, and those that do not.
pub(crate) struct Requests<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// One request each, in turn: a cookie, or a body.
    pub(crate) each: Each<'a>,
}

/// What changes.
pub(crate) enum Each<'a> {
    Cookie(&'a [String]),
    Body(&'a [String]),
}

impl Requests<'_> {
    /// A wrk script in `folder`. All requests are made before the first is sent: what wrk itself costs stays small.
    pub(crate) fn script(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let mut text = String::from("local each = {\n");
        let (Each::Cookie(each) | Each::Body(each)) = &self.each;
        for value in *each {
            writeln!(text, "  {},", quoted(value))?;
        }
        text.push_str("}\nlocal headers = {}\n");
        for (name, value) in self.headers {
            writeln!(text, "headers[{}] = {}", quoted(name), quoted(value))?;
        }
        let (method, path) = (quoted(self.method), quoted(self.path));
        let one = match self.each {
            Each::Cookie(_) => format!(
                "headers[\"Cookie\"] = value; requests[at] = wrk.format({method}, {path}, headers)"
            ),
            Each::Body(_) => format!("requests[at] = wrk.format({method}, {path}, headers, value)"),
        };
        write!(
            text,
            "local requests, next = {{}}, 0\n\
             function init()\n  for at, value in ipairs(each) do {one} end\nend\n\
             function request()\n  next = next % #requests + 1\n  return requests[next]\nend\n"
        )?;
        let file = folder.join(format!("{name}.lua"));
        std::fs::write(&file, text)?;
        Ok(file)
    }
}

/// As a Lua string: the same as Rust's for what stands in our requests.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// All subjects once in each round.
pub(crate) fn measure(
    subjects: &[Subject<'_>],
    rounds: usize,
    seconds: usize,
) -> Result<Vec<HttpFigures>> {
    let mut figures: Vec<HttpFigures> = subjects
        .iter()
        .map(|subject| HttpFigures {
            subject: subject.name.clone(),
            rounds: Vec::new(),
        })
        .collect();
    // What is slow once, on the first requests, is no part of a round.
    for subject in subjects {
        round(subject, 1)?;
    }
    for _ in 0..rounds {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            let round = round(subject, seconds)?;
            complain(&format!(
                "{:<34} {:>9.0} /s, {:>8.0} in a second of the processor, {:>6.2} us of the server",
                subject.name,
                round.requests_per_s,
                round.rate(),
                round.server_us
            ));
            figures.rounds.push(round);
        }
    }
    Ok(figures)
}

fn round(subject: &Subject<'_>, seconds: usize) -> Result<Round> {
    let mut wrk: Command = process::pinned("wrk".as_ref());
    wrk.args([
        "-t1",
        "-c64",
        "--latency",
        "-d",
        &format!("{seconds}s"),
        "-s",
    ]);
    wrk.arg(&subject.script);
    wrk.arg(format!("http://{}", subject.server.address));
    let both = || {
        Ok::<_, Box<dyn std::error::Error>>((
            subject.server.cpu_seconds()?,
            process::children_cpu_seconds()?,
        ))
    };
    let before = both()?;
    let said = process::output(wrk)?;
    let after = both()?;
    read(&said, after.0 - before.0, after.1 - before.1)
        .ok_or_else(|| format!("{}: wrk said\n{said}", subject.name).into())
}

/// The figures in what wrk says; `None` where some answers were errors.
fn read(said: &str, server_seconds: f64, client_seconds: f64) -> Option<Round> {
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return None;
    }
    let behind = |word: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(word));
        line.map(str::trim)
    };
    let requests = said
        .lines()
        .find_map(|line| line.split_once(" requests in"))?
        .0;
    let requests: f64 = requests.trim().parse().ok()?;
    Some(Round {
        requests_per_s: behind("Requests/sec:")?.parse().ok()?,
        server_us: server_seconds / requests * 1e6,
        client_us: client_seconds / requests * 1e6,
        p50_us: microseconds(behind("50%")?)?,
        p99_us: microseconds(behind("99%")?)?,
    })
}

/// `350.00us`, `1.20ms`, `2.00s`.
fn microseconds(text: &str) -> Option<f64> {
    let factors = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (number, factor) = factors
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 8s test @ http://127.0.0.1:1\n  1 threads and 64 connections\n  Thread Stats   Avg      Stdev     \
        Max   +/- Stdev\n    Latency   439.12us  301.71us  11.64ms   95.50%\n    Req/Sec   150.98k     5.58k  159.45k    67.50%\n  \
        Latency Distribution\n     50%  350.00us\n     75%  460.00us\n     90%  622.00us\n     99%    1.20ms\n  \
        1200000 requests in 8.00s, 150.21MB read\nRequests/sec: 150020.11\nTransfer/sec:     18.78MB\n";

    #[test]
    fn what_wrk_says_is_read() {
        let round = read(SAID, 4.2, 3.6).unwrap();
        assert_eq!(round.requests_per_s, 150_020.11);
        assert_eq!((round.p50_us, round.p99_us), (350.0, 1200.0));
        assert!((round.server_us - 3.5).abs() < 1e-9);
        assert!((round.rate() - 1e6 / 6.5).abs() < 1e-6);
    }

    #[test]
    fn errors_give_no_figure() {
        let failed = SAID.replace(
            "Transfer/sec",
            "  Non-2xx or 3xx responses: 1\nTransfer/sec",
        );
        assert!(read(&failed, 4.2, 3.6).is_none());
    }
}
