//! Requests by curl, whose cookie rules, TLS and redirects nobody here wrote either.

use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::NamedTempFile;

/// A client with a cookie jar of its own.
#[derive(Debug)]
pub(super) struct Curl {
    certificate: PathBuf,
    port: u16,
    jar: NamedTempFile,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Redirects that were followed before this answer.
    pub(super) redirects: u32,
    /// The address that answered.
    pub(super) url: String,
}

impl Answer {
    /// A header's value, empty where it is missing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers(name).next().unwrap_or_default()
    }

    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Curl {
    pub(super) fn new(certificate: &Path, port: u16) -> Self {
        Self {
            certificate: certificate.to_owned(),
            port,
            jar: NamedTempFile::new().unwrap(),
        }
    }

    /// One request as a browser sends it when a person follows a link; redirects are not followed.
    pub(super) fn get(&self, url: &str) -> Answer {
        self.run(&["-H", "Accept: text/html,*/*;q=0.8", url])
    }

    /// Follows at most ten redirects; more fail the test.
    pub(super) fn follow(&self, url: &str) -> Answer {
        let accept = "Accept: text/html,*/*;q=0.8";
        self.run(&["-L", "--max-redirs", "10", "-H", accept, url])
    }

    /// Sends the login form as a browser does, and follows no redirect.
    pub(super) fn log_in(&self, login: &str, user: &str, password: &str, back: &str) -> Answer {
        let origin = login.split("/_auth").next().unwrap();
        self.run(&[
            "-H",
            &format!("Origin: {origin}"),
            "-H",
            "Sec-Fetch-Site: same-origin",
            "-H",
            "Accept: text/html,*/*;q=0.8",
            "--data-urlencode",
            &format!("username={user}"),
            "--data-urlencode",
            &format!("password={password}"),
            "--data-urlencode",
            &format!("return_to={back}"),
            login.split('?').next().unwrap(),
        ])
    }

    /// Runs curl with these arguments besides those that every request needs.
    pub(super) fn run(&self, args: &[&str]) -> Answer {
        let mut command = Command::new("curl");
        // First, or a personal ~/.curlrc would have its say.
        command.arg("--disable");
        command.args(["-sS", "-i", "--max-time", "30", "--noproxy", "*"]);
        command.args(["-w", "\n%{num_redirects} %{url_effective}"]);
        command.arg("--cacert").arg(&self.certificate);
        for host in super::site::HOSTS {
            command.arg("--resolve");
            command.arg(format!("{host}:{}:127.0.0.1", self.port));
        }
        command.arg("-b").arg(self.jar.path());
        command.arg("-c").arg(self.jar.path());
        let output = command.args(args).output().unwrap();
        assert!(
            output.status.success(),
            "curl {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        parse(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Splits off the heads; with redirects followed there is one for each answer, and the last one counts.
fn parse(output: &str) -> Answer {
    let (output, trailer) = output.rsplit_once('\n').unwrap();
    let (redirects, url) = trailer.split_once(' ').unwrap();
    let mut rest = output;
    let mut head = "";
    while rest.starts_with("HTTP/") {
        (head, rest) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
    }
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: rest.to_owned(),
        redirects: redirects.parse().unwrap(),
        url: url.to_owned(),
    }
}
