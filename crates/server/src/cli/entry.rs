//! From `main` to the command, and back to an exit status.

use super::{
    Cli, Door, Failure,
    args::{Command, Config},
    configuration, health, manage, output, sessions,
};
use crate::{
    config::{self, Flags, Loaded},
    openapi, serve,
};
use clap::Parser;
use std::{future::Future, io::Write, process::ExitCode};
use tokio::runtime::Builder;

/// Runs the command that was typed. Exit status 0: done, 1: failed, 2: wrong use.
#[must_use]
pub fn main() -> ExitCode {
    // Ends the process itself on wrong use, with status 2, and on --help and --version, with 0.
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr().lock(), "cloakroom: {}", failure.line());
            ExitCode::from(failure.status())
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let flags = cli.flags();
    let out = output::Output {
        json: cli.global.json,
    };
    match &cli.command {
        None | Some(Command::Serve(_)) => run_server(config::load(&flags)?, flags),
        Some(Command::CheckConfig { file }) => configuration::check(flags, file.as_deref(), out),
        Some(Command::Config(Config::Print)) => configuration::print(&config::load(&flags)?, out),
        #[cfg(feature = "completions")]
        Some(Command::Completions { shell }) => super::completions::print(*shell),
        Some(Command::Openapi) => out.document(&openapi::document()),
        Some(Command::Migrate(migrate)) => super::migrate::run(migrate, &flags, out),
        Some(Command::Healthcheck { listen }) => {
            let loaded = config::load(&flags)?;
            block_on(health::check(
                &loaded.config,
                &cli.global,
                listen.as_deref(),
                out,
            ))
        }
        Some(command) => {
            let loaded = config::load(&flags)?;
            block_on(async {
                let door = Door::open(&cli.global, loaded.config, command.begins()).await?;
                let done = match command {
                    Command::User(user) => manage::user(&door, user, out).await,
                    Command::ApiKey(key) => manage::api_key(&door, key, out).await,
                    Command::Session(session) => sessions::run(&door, session, out).await,
                    _ => Err(Failure::WrongUse("no such command".into())),
                };
                done.and(door.close().await)
            })
        }
    }
}

fn run_server(loaded: Loaded, flags: Flags) -> Result<(), Failure> {
    // Here, because a fault in a flag is wrong use.
    let pair = loaded.tls()?;
    let runtime = match loaded.config.server.workers {
        // One thread does it all: no stacks, queues and arenas for others.
        Some(1) => Builder::new_current_thread().enable_all().build(),
        Some(workers) => Builder::new_multi_thread()
            .worker_threads(workers.into())
            .enable_all()
            .build(),
        None => Builder::new_multi_thread().enable_all().build(),
    };
    let runtime = runtime.map_err(Failure::failed)?;
    let outcome = runtime
        .block_on(serve::run(loaded, pair, flags))
        .map_err(Failure::Failed);
    // Requests that the drain cut off must not hold the process.
    runtime.shutdown_background();
    outcome
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?
        .block_on(work)
}
