//! Starting programs on one processor, and what the system says about them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Result;

/// A program that sits beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    Ok(here.with_file_name(name))
}

/// The processor on which everything runs that is measured: the last one, because interrupts like the first.
pub(crate) fn core() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors - 1).to_string()
}

/// `program` on [`core`] alone; the process is the program itself, `taskset` only starts it.
pub(crate) fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core()]).arg(program);
    command.stdin(Stdio::null());
    command
}

/// Runs to the end, and gives what it wrote on standard output.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{shown}: {}\n{}", output.status, said.trim_end()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Seconds of processor time of all programs that [`output`] ran so far, in steps of 10 ms.
pub(crate) fn children_cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // proc(5): the children's user and system time are fields 16 and 17; the second field may hold anything, in parentheses.
    let fields = stat.rsplit_once(')').ok_or("/proc/self/stat")?.1;
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Ok(ticks as f64 / 100.0)
}

/// A server that was started here; it is killed when the value is dropped.
pub(crate) struct Running {
    child: Child,
    /// As it said: `127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Running {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let shown = format!("{command:?}");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{shown}: {error}"))?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = lines
            .by_ref()
            .map_while(std::result::Result::ok)
            .find_map(|line| {
                let (_, address) = line.split_once("listening on")?;
                Some(address.trim().trim_start_matches("http://").to_owned())
            });
        let Some(address) = address else {
            let _ = child.kill();
            return Err(format!("{shown} ended: {}", child.wait()?).into());
        };
        // What it says from now on goes nowhere, but its pipe stays open.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// Seconds of processor time of all its threads so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0_u64;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split(' ').next().unwrap_or_default();
            nanoseconds += first.parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// A line of `/proc/PID/status` that ends in kB, in bytes.
    pub(crate) fn memory(&self, line: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let found = status.lines().find_map(|text| text.strip_prefix(line));
        let number = found.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
        Ok(number.ok_or("no such line")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
