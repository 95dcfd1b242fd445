//! `completions SHELL`: what a shell needs to complete the command line.

use super::{Cli, Failure, output};
use clap::CommandFactory;
use clap_complete::{Shell, generate};

/// Prints the shell's script.
pub(super) fn print(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "cloakroom", &mut script);
    output::write(&String::from_utf8_lossy(&script))
}
