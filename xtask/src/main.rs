//! `cargo xtask`: the one test command, and the checks that keep the house in order.
//!
//! Small on purpose: what this program needs to compile is what every run of CI waits for first.

mod bench;
mod cargo_output;
mod cli;
mod compare;
mod process;
mod report;
mod setup;
mod small;
mod soak;
mod stages;
mod tidy;
mod workspace;

use std::error::Error;
use std::process::ExitCode;

use cli::Command;
use workspace::Workspace;

/// What went wrong, in one line for the person at the terminal. Nothing here branches on a kind of error.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match cli::parse(&arguments) {
        Ok(command) => command,
        Err(wrong) => {
            report::complain(&format!("xtask: {wrong}\n\n{}", cli::usage()));
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::complain(&format!("xtask: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Answers whether everything passed.
fn run(command: Command) -> Result<bool> {
    match command {
        Command::Help => {
            report::say(&cli::usage());
            Ok(true)
        }
        Command::Test { only } => Ok(report::conclude(&stages::run(&Workspace::find()?, &only))),
        Command::SetUp => setup::run().map(|()| true),
        Command::Bench(options) => bench::run(&Workspace::find()?, &options).map(|()| true),
        Command::Compare => compare::run(&Workspace::find()?),
        Command::Small(options) => small::run(&Workspace::find()?, &options),
        Command::Soak(options) => soak::run(&Workspace::find()?, &options),
        Command::Tidy => {
            let findings = tidy::check(&Workspace::find()?)?;
            report::findings(&findings);
            Ok(findings.errors.is_empty())
        }
    }
}
