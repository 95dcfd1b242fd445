//! A server process that never outlives the test process, however that ends.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Starts what follows, tells its process id, and waits for the end of its own input, which the test process holds: that
/// closes whenever the test process is gone, even by kill -9. A shell has no other way to notice.
const WATCHER: &str = r#"log=$1; scratch=$2; shift 2
"$@" >>"$log" 2>&1 & pid=$!
echo $pid
read -r _
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
if [ -n "$scratch" ]; then rm -rf -- "$scratch" 2>/dev/null; fi
"#;

/// A running server. Dropping it kills the server.
#[derive(Debug)]
pub struct Process {
    watcher: Child,
    input: Option<ChildStdin>,
    pid: Pid,
}

impl Process {
    /// Starts `program`; what it prints goes to the end of `log`. `scratch` is a folder that is removed with it.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        program: &str,
        args: impl IntoIterator<Item = S>,
        log: &Path,
        scratch: Option<&Path>,
    ) -> Self {
        let mut watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh"])
            .arg(log)
            .arg(scratch.unwrap_or(Path::new("")))
            .arg(program)
            .args(args)
            // A signal to the tests' group, as by Ctrl-C, would end the watcher before it has cleared up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = watcher.stdin.take();
        let mut line = String::new();
        let output = watcher.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        Self {
            watcher,
            input,
            pid: pid.expect("a process id"),
        }
    }

    /// The server's process id.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Kills it without a word, and waits until it is gone.
    ///
    /// # Panics
    /// Where it does not go.
    pub fn kill(mut self) {
        self.end();
    }

    /// Sends it a signal, such as STOP and CONT to freeze it and go on.
    pub fn signal(&self, signal: Signal) {
        // It may be gone already.
        let _ = kill_process(self.pid, signal);
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", self.id()));
        // The state comes behind the name, which stands in parentheses; Z is dead and not yet collected.
        state.is_ok_and(|text| {
            text.rsplit_once(')')
                .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
        })
    }

    fn end(&mut self) {
        if self.input.is_none() {
            return;
        }
        self.signal(Signal::KILL);
        wait_until("a killed server is gone", || !self.runs());
        self.input = None;
        let _ = self.watcher.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port that nobody listened on a moment ago.
///
/// # Panics
/// Where there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Looks again and again until `is_so`.
///
/// # Panics
/// Where it is not so within half a minute.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        sleep(Duration::from_millis(10));
    }
}
