//! The command line.

mod args;
mod client;
#[cfg(feature = "completions")]
mod completions;
mod configuration;
mod door;
mod entry;
mod failure;
mod health;
mod manage;
mod migrate;
mod output;
mod password;
mod sessions;

pub use args::Cli;
pub use door::Door;
pub use entry::main;
pub use failure::Failure;
