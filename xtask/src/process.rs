//! Starting programs: a clean environment for cargo, output read line by line, CPU time of what ran.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::{Result, report};

/// A program without standard input: CI has none, and nothing here may wait for a person.
pub(crate) fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Cargo as a developer would call it. `cargo run` tells its child about the package it runs (`CARGO_PKG_…`);
/// handed on, that reaches build scripts and makes them run again at each change between `cargo test` and us.
pub(crate) fn cargo() -> Command {
    let mut command = quiet("cargo");
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let of_a_package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if of_a_package.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(text);
        }
    }
    command
}

/// How the command would be typed, without its environment.
pub(crate) fn typed(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Runs with output to the terminal; an error if it cannot start or does not succeed.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = typed(&command);
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{shown}`: {status}").into())
    }
}

/// Runs and gives its standard output; an error names what it said on standard error.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let shown = typed(&command);
    let output = command
        .output()
        .map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{shown}`: {}\n{}", output.status, said.trim_end()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether it starts and succeeds, without a word.
pub(crate) fn succeeds(mut command: Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs, prints every line and shows it to `look`; answers whether it succeeded. Both outputs go through one
/// pipe, so that cargo's headings (standard error) stay in front of the tests (standard output) they head.
pub(crate) fn watch(mut command: Command, mut look: impl FnMut(&str)) -> Result<bool> {
    let shown = typed(&command);
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    // The command holds our copies of the pipe's writing end; while they live, the reader never sees the end.
    drop(command);
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']);
        report::say(line);
        look(line);
        bytes.clear();
    }
    Ok(child.wait()?.success())
}

/// CPU minutes, user and system, of all children that ended so far and of theirs; `None` where there is no
/// Linux `/proc`. This is `getrusage(RUSAGE_CHILDREN)` without the unsafe call.
pub(crate) fn children_cpu_minutes() -> Option<f64> {
    cpu_minutes(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// `cutime` and `cstime` are fields 16 and 17 of proc(5); ticks are 1/100 s on every Linux user interface.
fn cpu_minutes(stat: &str) -> Option<f64> {
    const TICKS_PER_MINUTE: f64 = 6000.0;
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_hostile_name() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 11 12 6000 12000 20 0";
        // State is field 3; fields 14 and 15 are our own time (11, 12), 16 and 17 the children's.
        assert_eq!(cpu_minutes(stat), Some(3.0));
    }

    #[test]
    fn a_watched_command_shows_both_outputs_in_order() {
        let mut command = quiet("sh");
        command.args(["-c", "echo a; echo b >&2; echo c; exit 3"]);
        let mut seen = Vec::new();
        let passed = watch(command, |line| seen.push(line.to_owned())).unwrap();
        assert!(!passed);
        assert_eq!(seen, ["a", "b", "c"]);
    }
}
