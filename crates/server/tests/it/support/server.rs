//! A running server.

use super::{PATIENCE, Setup, poll};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

/// A server that a test started; it is killed when the value is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    setup: Setup,
    child: Child,
    base: String,
    client: reqwest::Client,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Server {
    /// A server with the defaults, on a free port, in a folder of its own.
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    pub(super) async fn launch(setup: Setup) -> Self {
        let mut command = setup.serve_command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (
            collect(child.stdout.take().unwrap()),
            collect(child.stderr.take().unwrap()),
        );
        let address = poll("the start message", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", stderr.lock());
            }
            listening_on(&stdout.lock())
        });
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        let mut base = address.clone();
        if let Some(path) = address.strip_prefix("unix:") {
            builder = builder.unix_socket(setup.path().join(path));
            base = "http://localhost".to_owned();
        }
        if base.starts_with("https:") {
            // Tests of certificates bring a client of their own.
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        let server = Self {
            setup,
            child,
            base,
            client: builder.build().unwrap(),
            stdout,
            stderr,
        };
        while server
            .client
            .get(server.url("/livez"))
            .send()
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server
    }

    /// What it was started with, and the folder that it runs in.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// A client that follows no redirects and keeps no cookies.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The TCP address as `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.base
            .trim_start_matches("https://")
            .trim_start_matches("http://")
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// What it printed on standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().clone()
    }

    /// What it logged so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        poll("the server's end", || self.child.try_wait().unwrap())
    }

    /// Kills it as a power cut would, as far as the process is concerned.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it if it still runs, and starts it again over the same data.
    pub(crate) async fn restart(mut self) -> Self {
        if self.child.try_wait().unwrap().is_none() {
            self.kill9();
        }
        self.setup.clone().start().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening_on(stdout: &str) -> Option<String> {
    // Only whole lines: half an address is one too.
    let lines = stdout.rsplit_once('\n')?.0.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("listening on"))
        .map(|rest| rest.trim().to_owned())
        .next()
}

fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            into.lock().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    text
}
