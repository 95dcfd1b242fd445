//! The binary `cloakroom`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cloakroom_server::cli::main()
}
