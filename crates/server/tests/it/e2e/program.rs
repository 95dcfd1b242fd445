//! A program that a test starts: in a process group of its own, with a log, gone when the value is dropped.

use crate::support::poll;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs::File,
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A running program.
#[derive(Debug)]
pub(super) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it; both its outputs go to `NAME.log` in the folder.
    pub(super) fn start(name: &str, folder: &Path, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Waits until it accepts connections.
    pub(super) fn listening_on(mut self, port: u16) -> Self {
        let what = format!("{} on port {port}", self.name);
        poll(&what, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended with {status}", self.name);
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        self
    }

    /// What it printed so far.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The group outlives its leader where that one already ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            show(&self.name, &self.log());
        }
    }
}

/// Prints the end of a log of a test that failed.
#[expect(clippy::print_stderr, reason = "where the test harness looks for it")]
pub(super) fn show(name: &str, log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("---- {name}");
    for line in &lines[lines.len().saturating_sub(40)..] {
        eprintln!("{line}");
    }
}
