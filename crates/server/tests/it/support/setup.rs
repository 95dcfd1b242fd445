//! The folder, arguments and environment that a server or a command runs with.

use super::{PATIENCE, Server};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What a process is started with. It runs in a fresh, empty folder, which is also where `cloakroom-data` goes.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    folder: Arc<TempDir>,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    under: Vec<OsString>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self {
            folder,
            args: Vec::new(),
            env: Vec::new(),
            under: Vec::new(),
        }
    }

    /// An argument of `serve`.
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Runs the binary under a program that replaces itself by it, as `prlimit` does.
    pub(crate) fn under(mut self, program: &[&str]) -> Self {
        self.under.extend(program.iter().map(OsString::from));
        self
    }

    /// Writes `cloakroom.toml` into the folder.
    pub(crate) fn config(self, text: &str) -> Self {
        std::fs::write(self.path().join("cloakroom.toml"), text).unwrap();
        self
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path().join("cloakroom-data")
    }

    /// Starts the server and waits until it answers.
    pub(crate) async fn start(self) -> Server {
        Server::launch(self).await
    }

    /// Runs a command to its end, without anything on standard input.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command()
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs `serve` with the arguments of this setup where it is expected to fail at once; gives back the exit status
    /// and standard error.
    pub(crate) fn fail_to_serve(&self) -> (i32, String) {
        let mut command = self.serve_command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > PATIENCE {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let status = output
            .status
            .code()
            .expect("it serves, where it should have refused to");
        (status, String::from_utf8(output.stderr).unwrap())
    }

    /// The binary, in the folder, without the environment of whoever runs the tests.
    pub(crate) fn command(&self) -> Command {
        let binary = OsString::from(env!("CARGO_BIN_EXE_cloakroom"));
        let mut words = self.under.iter().chain([&binary]);
        let mut command = Command::new(words.next().unwrap_or(&binary));
        command.args(words);
        command.current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CLOAKROOM_") {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn serve_command(&self) -> Command {
        let mut command = self.command();
        command.arg("serve");
        let has = |flag: &str| self.args.iter().any(|arg| arg == flag);
        if !has("--listen") && !self.env.iter().any(|(name, _)| name == "CLOAKROOM_LISTEN") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(&self.args);
        command
    }
}
