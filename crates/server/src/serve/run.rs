//! `cloakroom serve` from start to end.

use super::{
    DataDir,
    accept::Acceptor,
    control,
    listener::Listener,
    signals::{Signals, Wish},
    start_message,
};
use crate::{
    config::{self, Flags, Loaded},
    jobs,
    observe::Logging,
    router,
    state::AppState,
};
use std::{io::IsTerminal, time::Duration};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Runs the server until a signal ends it.
///
/// # Errors
/// What kept it from starting or from closing cleanly, as one line.
pub async fn run(loaded: Loaded, flags: Flags) -> Result<(), String> {
    let logging = Logging::start(&loaded.config.log)?;
    // Before anything that takes time: a signal during the start must not be lost.
    let mut signals =
        Signals::install().map_err(|error| format!("cannot handle signals: {error}"))?;
    let config = loaded.config;
    let server = config.server.clone();
    let data_dir = if server.ephemeral {
        None
    } else {
        Some(DataDir::open(&server.data_dir).map_err(|error| error.to_string())?)
    };
    let listener = Listener::bind(&server.listen).await?;
    let state = AppState::open(config, data_dir, listener.bound()).await?;
    let control = state.data_dir().map(control::bind).transpose()?;

    let (drain, shutdown) = (server.drain_timeout.get(), state.shutdown());
    let mut acceptors = JoinSet::new();
    let first = state
        .directory()
        .first_start(std::io::stdout().is_terminal())
        .await?;
    start_message::print(&state, &listener, first.as_ref());
    tracing::info!(listen = %listener, version = env!("CARGO_PKG_VERSION"), "ready");
    acceptors.spawn(
        Acceptor::new(listener, router::network(&state), &server).run(shutdown.watch(), drain),
    );
    if let Some(control) = control {
        acceptors.spawn(
            Acceptor::new(control, router::control(&state), &server).run(shutdown.watch(), drain),
        );
    }
    jobs::start(&state);
    tokio::spawn(metrics_upkeep(state.clone()));

    while signals.next().await == Wish::Reload {
        reload(&logging, &flags);
    }
    tracing::info!("stopping: open requests may finish");
    state.health().start_draining();
    shutdown.begin();
    tokio::select! {
        () = signals.stop_again() => Err("stopped at once by a second signal".to_owned()),
        outcome = close(acceptors, &state) => outcome,
    }
}

async fn close(acceptors: JoinSet<usize>, state: &AppState) -> Result<(), String> {
    let cut_off: usize = acceptors.join_all().await.into_iter().sum();
    if cut_off > 0 {
        tracing::warn!(
            cut_off,
            "the drain timeout ran out with connections still open"
        );
    }
    state.shutdown().run_hooks().await?;
    tracing::info!("stopped");
    Ok(())
}

/// SIGHUP: the log level is read anew; everything else stays as it was at the start.
fn reload(logging: &Logging, flags: &Flags) {
    let done = config::load(flags)
        .map_err(|error| error.to_string())
        .and_then(|loaded| {
            logging
                .set_level(&loaded.config.log.level)
                .map(|()| loaded.config.log.level)
        });
    match done {
        Ok(level) => tracing::info!(level, "the log level was read anew"),
        Err(why) => tracing::error!(why, "the configuration was not read anew"),
    }
}

async fn metrics_upkeep(state: AppState) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        state.metrics().upkeep();
    }
}
